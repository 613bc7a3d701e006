"""Handlers: decorators to declare them, the registry that finds them, and their context."""

from taskq_server.handlers.context import Context, State
from taskq_server.handlers.declare import (
    Fatal,
    Retry,
    handler,
    on_job_failure,
    on_retry,
    on_shutdown,
    on_startup,
)
from taskq_server.handlers.registry import Registry, TaskEvent, load
from taskq_server.handlers.typed import TypedHandler

__all__ = [
    "Context",
    "Fatal",
    "Registry",
    "Retry",
    "State",
    "TaskEvent",
    "TypedHandler",
    "handler",
    "load",
    "on_job_failure",
    "on_retry",
    "on_shutdown",
    "on_startup",
]
