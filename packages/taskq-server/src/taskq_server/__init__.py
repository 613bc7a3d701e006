"""taskq-server: a durable task service.

These are the names for people who write handlers or embed the app. Each is loaded when it is first
needed: the parent of a worker needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskq_server.core.config import Settings
    from taskq_server.domain.backoff import Backoff
    from taskq_server.handlers import (
        Context,
        Fatal,
        Retry,
        State,
        TaskEvent,
        TypedHandler,
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
    "TypedHandler",
    "handler",
    "on_job_failure",
    "on_retry",
    "on_shutdown",
    "on_startup",
]

_ELSEWHERE = {"Backoff": "domain.backoff", "Settings": "core.config"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_ELSEWHERE.get(name, 'handlers')}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
