"""What a worker and the processes of its suspects say to each other, one object at a time."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from taskq_server.domain.task import Task
from taskq_server.handlers.context import ProgressReport
from taskq_server.schemas.task import TaskCreate
from taskq_server.worker.attempts.result import Verdict
from taskq_server.worker.attempts.running import Cause


@dataclass(frozen=True, slots=True)
class Run:
    """Worker: run this claimed task, with these arguments if its payload is validated already."""

    task: Task
    arguments: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Worker: tell the handler of this task to stop."""

    task_id: UUID
    cause: Cause


@dataclass(frozen=True, slots=True)
class Submitted:
    """Worker: what came of a `Submit`: the id of the child, or why there is none."""

    number: int
    answer: UUID | Exception


@dataclass(frozen=True, slots=True)
class LetGo:
    """Worker: nothing more will come, so run the shutdown hooks and end."""


ToCell = Run | Interrupt | Submitted | LetGo


@dataclass(frozen=True, slots=True)
class Ready:
    """Cell: handlers are loaded and the start-up hooks have run."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Cell: threads run here, so no handler holds the GIL."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Cell: how far a handler says it is."""

    task_id: UUID
    report: ProgressReport


@dataclass(frozen=True, slots=True)
class Submit:
    """Cell: a handler wants a child task."""

    task_id: UUID
    number: int
    new: TaskCreate
    key: str


@dataclass(frozen=True, slots=True)
class End:
    """Cell: how the attempt ended; None when that is not ours to say."""

    task_id: UUID
    verdict: Verdict | None


FromCell = Ready | Alive | Progress | Submit | End
