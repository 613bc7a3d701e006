"""The arguments of operations: typed dictionaries, in which an absent key differs from None.

`taskq_client.models` is where callers find them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Required, TypedDict

Duration = float | Decimal | timedelta
"""Seconds, finite, or a timedelta."""


class TaskStatus(StrEnum):
    """The status of a task."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """The priority of a task; of two due tasks the one with the higher priority goes first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Overlap(StrEnum):
    """What a schedule does at a time at which its last task has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"
    CANCEL = "cancel"


class CatchUp(StrEnum):
    """What a schedule does about the times at which no server or worker was there."""

    LAST = "last"
    ALL = "all"
    NONE = "none"


StatusName = Literal["queued", "running", "retrying", "succeeded", "failed", "cancelled"]
PriorityName = Literal["low", "normal", "high", "urgent"]
OverlapName = Literal["skip", "queue", "allow", "cancel"]
CatchUpName = Literal["last", "all", "none"]
OnConflict = Literal["return", "replace", "reject"]


class TaskOptions(TypedDict, total=False):
    """The options of a submit; None stands for the default of the server."""

    title: str | None
    description: str | None
    priority: Priority | PriorityName | None
    tags: Iterable[str] | None
    queue: str | None
    run_at: datetime | None
    delay_seconds: Duration | None
    timeout_seconds: Duration | None
    max_retries: int | None
    backoff_base_seconds: Duration | None
    backoff_max_seconds: Duration | None
    keep_seconds: Duration | None
    unique_key: str | None
    on_conflict: OnConflict | None


class NewTask(TaskOptions, total=False):
    """One task of a `submit_many`."""

    handler: Required[str]
    payload: Mapping[str, object] | None


class ScheduleOptions(TypedDict, total=False):
    """When a schedule fires, and the options of its tasks; None stands for the default."""

    cron: str | None
    every_seconds: Duration | None
    timezone: str | None
    overlap: Overlap | OverlapName | None
    catch_up: CatchUp | CatchUpName | None
    catch_up_seconds: Duration | None
    jitter_seconds: Duration | None
    starts_at: datetime | None
    ends_at: datetime | None
    paused: bool | None
    note: str | None
    title: str | None
    description: str | None
    priority: Priority | PriorityName | None
    tags: Iterable[str] | None
    queue: str | None
    timeout_seconds: Duration | None
    max_retries: int | None
    backoff_base_seconds: Duration | None
    backoff_max_seconds: Duration | None
    keep_seconds: Duration | None
    unique_key: str | None
    on_conflict: OnConflict | None


class ScheduleChanges(ScheduleOptions, total=False):
    """The fields that an update changes; None resets a field, an absent key leaves it."""

    handler: str
    payload: Mapping[str, object] | None


class TaskChanges(TypedDict, total=False):
    """The fields that an update changes; None resets a field, an absent key leaves it."""

    title: str | None
    description: str | None
    tags: Iterable[str] | None
    priority: Priority | PriorityName | None
    max_retries: int | None
    timeout_seconds: Duration | None
    run_at: datetime | None


class TaskFilters(TypedDict, total=False):
    """The filters of a list or of a bulk operation; None sets no filter."""

    status: TaskStatus | StatusName | Iterable[TaskStatus | StatusName] | None
    priority: Priority | PriorityName | Iterable[Priority | PriorityName] | None
    tag: str | Iterable[str] | None
    handler: str | Iterable[str] | None
    queue: str | Iterable[str] | None
    error_type: str | None
    attempt_min: int | None
    created_after: datetime | None
    created_before: datetime | None
    finished_after: datetime | None
    finished_before: datetime | None
    schedule: str | None
    q: str | None
    id: str | None


class ListFilters(TaskFilters, total=False):
    """The filters of a list, and its order; None sets no filter."""

    order: Literal["created_at", "-created_at"] | None
    limit: int | None


BulkAction = Literal["retry", "cancel", "delete", "update"]


class BulkChanges(TypedDict, total=False):
    """The fields that a bulk update changes in all tasks; an absent key leaves a field."""

    priority: Priority | PriorityName
    max_retries: int
    timeout_seconds: Duration
    run_at: datetime | None
