"""Typed clients for the taskq task service.

`TaskqClient` blocks, `AsyncTaskqClient` is awaited; both have the same methods. What they return is
in `taskq_client.models`, `history`, `bulk`, `queues` and `schedules` beside it, what they raise is
drawn in `taskq_client.errors`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from taskq_client._version import __version__

if TYPE_CHECKING:
    from taskq_client._async import AsyncTaskqClient
    from taskq_client._async_handles import AsyncTaskHandle
    from taskq_client._async_operations import AsyncBulk
    from taskq_client._sync import TaskqClient
    from taskq_client._sync_handles import TaskHandle
    from taskq_client._sync_operations import Bulk
    from taskq_client.bulk import BulkCount, BulkOperation, BulkState
    from taskq_client.errors import (
        BadRequest,
        BulkTimeout,
        ConfigurationError,
        Conflict,
        FieldProblem,
        IdempotencyMismatch,
        InvalidRequest,
        InvalidTransition,
        NotFound,
        PayloadTooLarge,
        PermissionDenied,
        PreconditionFailed,
        RateLimited,
        ServerError,
        TaskCancelled,
        TaskFailed,
        TaskqAPIError,
        TaskqConnectionError,
        TaskqError,
        TaskqTimeout,
        Unauthenticated,
        Unavailable,
        UnexpectedAnswer,
        UnexpectedResult,
        UniqueConflict,
        UnknownHandler,
        UnknownPath,
        ValidationFailed,
        WaitTimeout,
    )
    from taskq_client.history import FailureGroup, Failures, QueueHistory, StatsHistory
    from taskq_client.models import (
        Attempt,
        Caller,
        Handler,
        Health,
        ListFilters,
        NewTask,
        Priority,
        Progress,
        QueueStats,
        RunningTask,
        Stats,
        Tag,
        Task,
        TaskChanges,
        TaskError,
        TaskOptions,
        TaskSchedule,
        TaskStatus,
        Worker,
    )
    from taskq_client.queues import Queue
    from taskq_client.schedules import CatchUp, Overlap, Schedule, ScheduledTask, SchedulePreview

__all__ = [
    "AsyncBulk",
    "AsyncTaskHandle",
    "AsyncTaskqClient",
    "Attempt",
    "BadRequest",
    "Bulk",
    "BulkCount",
    "BulkOperation",
    "BulkState",
    "BulkTimeout",
    "Caller",
    "CatchUp",
    "ConfigurationError",
    "Conflict",
    "FailureGroup",
    "Failures",
    "FieldProblem",
    "Handler",
    "Health",
    "IdempotencyMismatch",
    "InvalidRequest",
    "InvalidTransition",
    "ListFilters",
    "NewTask",
    "NotFound",
    "Overlap",
    "PayloadTooLarge",
    "PermissionDenied",
    "PreconditionFailed",
    "Priority",
    "Progress",
    "Queue",
    "QueueHistory",
    "QueueStats",
    "RateLimited",
    "RunningTask",
    "Schedule",
    "SchedulePreview",
    "ScheduledTask",
    "ServerError",
    "Stats",
    "StatsHistory",
    "Tag",
    "Task",
    "TaskCancelled",
    "TaskChanges",
    "TaskError",
    "TaskFailed",
    "TaskHandle",
    "TaskOptions",
    "TaskSchedule",
    "TaskStatus",
    "TaskqAPIError",
    "TaskqClient",
    "TaskqConnectionError",
    "TaskqError",
    "TaskqTimeout",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "UnexpectedResult",
    "UniqueConflict",
    "UnknownHandler",
    "UnknownPath",
    "ValidationFailed",
    "WaitTimeout",
    "Worker",
    "__version__",
]

_HOMES = (
    *("models", "history", "queues", "schedules", "bulk", "errors"),
    *("_sync_handles", "_async_handles", "_sync_operations", "_async_operations"),
    *("_sync", "_async"),
)


def __getattr__(name: str) -> object:
    # A program that imports this package pays for httpx and pydantic when it first needs them.
    if name in __all__:
        for home in _HOMES:
            value: object = getattr(import_module(f"{__name__}.{home}"), name, None)
            if value is not None:
                globals()[name] = value
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
