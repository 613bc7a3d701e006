"""The requests of callers as plain values, which HTTP, a handler or any other caller makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from taskq_server.domain.task import FAILING, Priority, Status
from taskq_server.domain.unique import OnConflict

DEFAULT_QUEUE = "default"


class TaskDefaults(NamedTuple):
    """What a handler says for those of its tasks whose submits leave it out.

    Attributes:
        queue: the name of a queue.
        priority: decides which of two due tasks goes first.
        tags: names to find the task by.
        unique_key: a JSON pointer to the unique key in the payload; None for tasks without one.
    """

    queue: str = DEFAULT_QUEUE
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    unique_key: str | None = None


SAYS_NOTHING = TaskDefaults()
"""The defaults of a handler that has none of its own."""


class NewTask(NamedTuple):
    """A task to store and run. Its values have been validated, its payload only as JSON.

    `NewTask` is a tuple for speed, because every submit makes one.

    Attributes:
        handler: the name of the handler.
        payload: the handler's parameters, or their JSON text, which takes far less memory.
        title: for people; None stands for the handler's name.
        description: for people.
        priority: decides which of two due tasks goes first; None stands for the handler's.
        tags: names to find the task by; equal names count once; None stands for the handler's.
        queue: the queue, None for the handler's, which decides which workers take the task.
        run_at: earliest start, aware UTC; None stands for now.
        delay_seconds: earliest start in seconds from now, instead of `run_at`.
        timeout_seconds: time limit of one attempt; None stands for the handler's limit.
        max_retries: retries after the first try; None stands for the handler's number.
        backoff_base_seconds: longest wait before the first retry; None stands for the handler's.
        backoff_max_seconds: longest wait before any retry; None stands for the handler's.
        keep_seconds: for how long the task is kept after its end; None stands for the settings'.
        unique_key: no other task with this key waits or runs at the same time; None stands for the
            one that the handler finds in the payload, mostly none.
        on_conflict: what to do if another task holds the key; None stands for `return`.
    """

    handler: str
    payload: dict[str, Any] | bytes
    title: str | None = None
    description: str | None = None
    priority: Priority | None = None
    tags: Sequence[str] | None = None
    queue: str | None = None
    run_at: datetime | None = None
    delay_seconds: float | None = None
    timeout_seconds: float | None = None
    max_retries: int | None = None
    backoff_base_seconds: float | None = None
    backoff_max_seconds: float | None = None
    keep_seconds: float | None = None
    unique_key: str | None = None
    on_conflict: OnConflict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChanges:
    """Changes to a task; `given` names the fields to change.

    None resets `title`, `tags`, `priority`, `max_retries` and `timeout_seconds` to the handler's
    values, and `run_at` to now.
    """

    given: frozenset[str]
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    priority: Priority | None = None
    max_retries: int | None = None
    timeout_seconds: float | None = None
    run_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """The filters of a list. An empty filter or None filters nothing.

    Attributes:
        statuses: the task has any of these.
        priorities: the task has any of these.
        tags: the task has all of these.
        handlers: the name of the task's handler is any of these.
        queues: the name of the task's queue is any of these.
        error_type: the task is failed or retrying because of an error of this type.
        attempt_min: the task has had this many attempts or more, one under way included.
        created_after: aware UTC, created at this time or later.
        created_before: aware UTC, created before this time.
        finished_after: aware UTC, final since this time or later.
        finished_before: aware UTC, final since before this time.
        title_prefix: the beginning of the title.
        id_prefix: the beginning of the id, with its hyphens.
        schedule: the name of the schedule that has fired the task.
        descending: whether the newest task comes first.
    """

    statuses: tuple[Status, ...] = ()
    priorities: tuple[Priority, ...] = ()
    tags: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    error_type: str | None = None
    attempt_min: int | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None
    title_prefix: str | None = None
    id_prefix: str | None = None
    schedule: str | None = None
    descending: bool = True

    def possible_statuses(self) -> Sequence[Status] | None:
        """Return the statuses of tasks that can pass, given what the other filters ask for.

        Returns:
            None if any status can, and nothing if none can.
        """
        asked = self.statuses or (FAILING if self.error_type is not None else ())
        if not asked:
            return None
        times = (self.finished_after, self.finished_before)
        is_final_wanted = any(one is not None for one in times)
        return [
            one
            for one in dict.fromkeys(asked)
            if (self.error_type is None or one in FAILING) and (one.final or not is_final_wanted)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A person's changes to a task; `given` names the fields to change."""

    given: frozenset[str]
    title: str = ""
    description: str | None = None
    priority: Priority = Priority.NORMAL
    max_retries: int = 0
    timeout_seconds: float = 0.0
    run_at: datetime | None = None
