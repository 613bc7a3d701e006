"""The messages between a worker and the processes that run attempts for it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Fire, Task
from taskq_server.handlers.context import ProgressReport
from taskq_server.worker.attempts.result import RunResult
from taskq_server.worker.attempts.running import StopReason


@dataclass(frozen=True, slots=True)
class Run:
    """Worker: run this claimed task, with these arguments if its payload is validated already.

    `traceparent` is the context of the attempt, None if there is none, and `schedule` what has
    fired the task, None for one that was submitted.
    """

    task: Task
    arguments: dict[str, Any] | None
    traceparent: str | None
    schedule: Fire | None


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Worker: tell the handler of this task to stop."""

    task_id: UUID
    cause: StopReason


@dataclass(frozen=True, slots=True)
class Submitted:
    """Worker: the answer to a `Submit`: the id of the child, or the error."""

    number: int
    answer: UUID | Exception


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Worker: no message follows, so run the shutdown hooks and end."""


ToChild = Run | Interrupt | Submitted | Shutdown


@dataclass(frozen=True, slots=True)
class Ready:
    """Child: the handlers are loaded and the start-up hooks have run."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Child: threads run here, so no handler holds the GIL."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Child: a handler reports progress."""

    task_id: UUID
    report: ProgressReport


@dataclass(frozen=True, slots=True)
class Submit:
    """Child: a handler submits a child task, in the context `traceparent` if there is one."""

    task_id: UUID
    number: int
    new: NewTask
    key: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class End:
    """Child: the result of an attempt; None if the worker no longer holds it.

    `is_stuck` tells whether the handler goes on all the same.
    """

    task_id: UUID
    run_result: RunResult | None
    is_stuck: bool


FromChild = Ready | Alive | Progress | Submit | End
