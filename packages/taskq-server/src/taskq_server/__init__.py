"""taskq-server: a durable task service."""

__version__ = "0.1.0"
