"""What callers ask for, as plain values: whoever calls makes them, be it HTTP or a handler."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from taskq_server.domain.task import Priority, Status

DEFAULT_QUEUE = "default"


class NewTask(NamedTuple):
    """A task to store and run. Its values have been validated, its payload only as JSON.

    A tuple, because every submit makes one.

    Attributes:
        handler: which handler does the work.
        payload: its parameters, or their JSON text, which takes far less memory.
        title: for people; None stands for the handler's name.
        description: for people.
        priority: which of two due tasks goes first.
        tags: names to find the task by; equal ones count once.
        queue: which workers take it.
        run_at: aware UTC, not before this time; None means now.
        delay_seconds: not before so many seconds from now; instead of `run_at`.
        timeout_seconds: time limit of one attempt; None stands for the handler's own.
        max_retries: retries after the first try; None stands for the handler's own.
        backoff_base_seconds: most that the first retry waits; None stands for the handler's own.
        backoff_max_seconds: most that any retry waits; None stands for the handler's own.
    """

    handler: str
    payload: dict[str, Any] | bytes
    title: str | None = None
    description: str | None = None
    priority: Priority = Priority.NORMAL
    tags: Sequence[str] = ()
    queue: str = DEFAULT_QUEUE
    run_at: datetime | None = None
    delay_seconds: float | None = None
    timeout_seconds: float | None = None
    max_retries: int | None = None
    backoff_base_seconds: float | None = None
    backoff_max_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChanges:
    """What to change on a task; `given` names the fields that are meant.

    None resets `title`, `max_retries` and `timeout_seconds` to the handler's own, and makes
    `run_at` now.
    """

    given: frozenset[str]
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    max_retries: int | None = None
    timeout_seconds: float | None = None
    run_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks a list has. A filter that is empty or None filters nothing.

    Attributes:
        statuses: any of these.
        priorities: any of these.
        tags: all of these.
        handler: this one.
        queue: this one.
        created_after: aware UTC, created at this time or later.
        created_before: aware UTC, created before this time.
        title_prefix: how the title begins.
        descending: whether the newest comes first.
    """

    statuses: tuple[Status, ...] = ()
    priorities: tuple[Priority, ...] = ()
    tags: tuple[str, ...] = ()
    handler: str | None = None
    queue: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    title_prefix: str | None = None
    descending: bool = True
