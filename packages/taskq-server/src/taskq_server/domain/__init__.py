"""What a task is and how it may change: pure decisions, no input or output."""
