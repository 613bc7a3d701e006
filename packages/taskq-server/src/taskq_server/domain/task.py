"""The task as a value: the fields of one row, and their closed sets."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple
from uuid import UUID

PRIORITY_STEP_SECONDS = 30
"""Seconds by which each priority level moves a task forward in its queue. So a `low` task waits at
most three steps longer than an endless stream of `urgent` tasks."""

MAX_LOST = 3
"""Attempts in a row that lose their worker before the task fails as `WorkerLost`."""

Address = tuple[str, UUID]
"""A task's namespace and id."""


class Status(StrEnum):
    """The status of a task; the diagram is in `lifecycle.py`."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether only a person's retry leaves this status."""
        return self in FINAL

    @property
    def waiting(self) -> bool:
        """Whether a worker may claim a task in this status."""
        return self in WAITING


FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
WAITING = frozenset({Status.QUEUED, Status.RETRYING})
FAILING = (Status.FAILED, Status.RETRYING)
"""The statuses that follow a failure of the last attempt."""


class Priority(IntEnum):
    """The priority of a task; stored as the number, on the wire as the lower-case name."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3

    @property
    def label(self) -> str:
        """The name on the wire."""
        return _LABELS[self]

    @classmethod
    def from_label(cls, label: str) -> "Priority":
        """Return the priority that the wire calls `label`.

        Raises:
            KeyError: there is no such priority.
        """
        return _BY_LABEL[label]


# Tables, because an enumeration takes ten times as long to say a name or to find one.
_LABELS = {priority: priority.name.lower() for priority in Priority}
_BY_LABEL = {label: priority for priority, label in _LABELS.items()}


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    RELEASED = "released"
    CANCELLED = "cancelled"

    @property
    def is_error(self) -> bool:
        """Whether the attempt is listed under the task's `errors`."""
        return self in ERRORS


ERRORS = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST})


class Task(NamedTuple):
    """One task row. Times are aware UTC; payload and progress are JSON text.

    A tuple, as the driver reads and writes it: a worker makes three of them for each task.
    """

    id: UUID
    namespace: str
    handler: str
    title: str
    description: str | None
    payload: str
    status: Status
    priority: Priority
    queue: str
    run_at: datetime | None
    score: int | None
    timeout_seconds: float
    max_retries: int
    current_retry_count: int
    backoff_base_seconds: float | None
    backoff_max_seconds: float | None
    attempt: int
    lost_count: int
    worker_id: UUID | None
    progress: str | None
    cancel_requested_at: datetime | None
    traceparent: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    submitted_by: str | None = None
    """The id of the key that submitted the task, or the task of which it is a child."""

    @property
    def due_at(self) -> datetime:
        """The moment from which a worker may claim the task."""
        return self.run_at or self.created_at

    @property
    def is_quarantined(self) -> bool:
        """Whether the last worker of the task was lost, perhaps because of the task."""
        return self.lost_count > 0

    @property
    def is_last_chance(self) -> bool:
        """Whether the loss of one more worker fails the task."""
        return self.lost_count + 1 >= MAX_LOST


class Attempt(NamedTuple):
    """One ended attempt. `result` is JSON text; it is set when the attempt succeeded.

    `worker_name` is not stored with it: it is looked up where callers read the attempt.
    """

    task_id: UUID
    attempt: int
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    result: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    worker_id: UUID | None = None
    retry_at: datetime | None = None
    worker_name: str | None = None


class Fire(NamedTuple):
    """The schedule that has fired a task, and for which time.

    Attributes:
        name: of the schedule, which may be gone by now.
        fire_at: the time of the schedule, aware UTC; the task may have been stored later.
    """

    name: str
    fire_at: datetime


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """A task as callers see it: the row, its tags, its ended attempts, and what few tasks have.

    Attributes:
        task: the row.
        tags: sorted by name.
        attempts: those that have ended, oldest first.
        keep_seconds: how long it is kept after its end; None if the task does not say.
        schedule: what has fired it; None for a task that was submitted.
        unique_key: no other task with this key waits or runs at the same time.
        is_hidden: whether its caller may know its id and its status, and nothing more.
    """

    task: Task
    tags: tuple[str, ...]
    attempts: tuple[Attempt, ...] = ()
    keep_seconds: float | None = None
    schedule: Fire | None = None
    unique_key: str | None = None
    is_hidden: bool = False

    @property
    def result(self) -> str | None:
        """The JSON text of the result, once the task succeeded."""
        if self.task.status is not Status.SUCCEEDED:
            return None
        return next((a.result for a in self.attempts if a.attempt == self.task.attempt), None)

    @property
    def outline(self) -> "TaskDetails":
        """The same task without its contents: no payload, result, errors, or trace."""
        return replace(self, task=self.task._replace(payload="{}", traceparent=None), attempts=())

    @property
    def errors(self) -> tuple[Attempt, ...]:
        """The attempts that ended in an error, oldest first."""
        return tuple(a for a in self.attempts if a.outcome.is_error)


class Queue(NamedTuple):
    """A queue of a namespace; equal names in two namespaces are two queues."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Due:
    """A task that may run now; `attempt` counts those that have ended."""

    task_id: UUID
    attempt: int
    namespace: str
    queue: str
    score: int


def score(due_at: datetime, priority: Priority) -> int:
    """Return the place in the queue: milliseconds since the epoch, lowest first.

    Args:
        due_at: from when the task may run, aware UTC.
        priority: each level counts as `PRIORITY_STEP_SECONDS` earlier. The shift is bounded, so
            a task that waits long enough passes tasks of any priority (ageing).
    """
    return int(due_at.timestamp() * 1000) - int(priority) * PRIORITY_STEP_SECONDS * 1000


def due_at(score: int, priority: Priority) -> datetime:
    """Return the due time that belongs to a score, in whole milliseconds."""
    milliseconds = score + int(priority) * PRIORITY_STEP_SECONDS * 1000
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
