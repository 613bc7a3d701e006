"""taskq-server: a durable task service.

These are the names for people who write handlers or embed the app.
"""

from taskq_server.core.config import Settings
from taskq_server.domain.backoff import Backoff
from taskq_server.handlers import (
    Context,
    Fatal,
    Retry,
    State,
    TaskEvent,
    handler,
    on_job_failure,
    on_retry,
    on_shutdown,
    on_startup,
)

__version__ = "0.1.0"

__all__ = [
    "Backoff",
    "Context",
    "Fatal",
    "Retry",
    "Settings",
    "State",
    "TaskEvent",
    "handler",
    "on_job_failure",
    "on_retry",
    "on_shutdown",
    "on_startup",
]
