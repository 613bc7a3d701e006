"""What goes over the wire: request models, and how a task is written."""
