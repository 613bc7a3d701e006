"""The task as a value and the rules of its changes: pure decisions, no input or output."""
