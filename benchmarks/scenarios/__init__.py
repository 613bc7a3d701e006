"""What is measured. A scenario runs one contestant once and returns numbers by name."""
