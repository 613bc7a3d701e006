"""What shows that a worker lives: its lease, its supervisor, and a watch on its event loop."""
