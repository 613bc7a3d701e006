"""What workers report of attempts, and the decisions about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from taskq_server.domain import lifecycle
from taskq_server.domain.errors import IllegalTransition, StaleAttempt, TaskqError
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Status, Task

Decision = Callable[[Task, datetime], AttemptEnded]
"""How a locked task goes on at this moment."""


class Completion(NamedTuple):
    """The end of an attempt, as its worker reports it.

    Attributes:
        task_id: the task.
        attempt: the attempt that ended.
        worker_id: who ran it.
        decide: the lifecycle's decision, applied to the locked row.
        claimed: the task as it was claimed, if the decision makes it final and it has probably not
            changed since; the end is then written optimistically, without a lock and a read before.
        weight: bytes it adds to its transaction, about.
        traceparent: the context of the attempt, to which the transaction's span links.
    """

    task_id: UUID
    attempt: int
    worker_id: UUID
    decide: Decision
    claimed: Task | None = None
    weight: int = 0
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Progress of a running attempt, as JSON text."""

    task_id: UUID
    attempt: int
    worker_id: UUID
    progress: str


def decide_ends(
    completions: Sequence[Completion], found: dict[UUID, Task], now: datetime
) -> list[AttemptEnded | TaskqError]:
    """Decide about the ends of attempts, one after the other.

    Args:
        completions: what workers report; a task may have several.
        found: the tasks as they are, by id; each end replaces its task.
        now: aware UTC.

    Returns:
        For each completion its end, or why it is refused.
    """
    answers: list[AttemptEnded | TaskqError] = []
    for completion in completions:
        answer = _decide_end(completion, found, now)
        if isinstance(answer, AttemptEnded):
            found[completion.task_id] = answer.task
        answers.append(answer)
    return answers


def _decide_end(
    completion: Completion, locked: dict[UUID, Task], now: datetime
) -> AttemptEnded | TaskqError:
    task = locked.get(completion.task_id)
    if task is None:
        return StaleAttempt(f"task {completion.task_id} does not exist any more")
    try:
        lifecycle.hold(task, worker_id=completion.worker_id, attempt=completion.attempt)
        return completion.decide(task, now)
    except (StaleAttempt, IllegalTransition) as error:
        return error


def is_held(task: Task, report: Report) -> bool:
    """Return whether the attempt of a report is still its worker's."""
    held = (task.status, task.worker_id, task.attempt)
    return held == (Status.RUNNING, report.worker_id, report.attempt)
