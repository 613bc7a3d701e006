"""Liveness of a worker: its lease, its supervisor, and a watch on its event loop."""
