"""Real servers and processes for the tests: every helper here starts the real thing."""
