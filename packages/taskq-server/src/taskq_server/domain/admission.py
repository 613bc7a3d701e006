"""Admission: may a waiting attempt start on this worker now?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from taskq_server.domain import lifecycle
from taskq_server.domain.errors import IllegalTransition
from taskq_server.domain.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A worker's wish to run one attempt.

    Attributes:
        task_id: the task.
        attempt: the attempt the doorbell rang for; another one is none of its business.
        worker_id: who asks.
        handlers: what the worker can run.
        quarantine_room: returns the number of free quarantine processes.
        sync: which of its handlers need a thread.
        threads: how many of some tasks it could give a thread, in this order.
    """

    task_id: UUID
    attempt: int
    worker_id: UUID
    handlers: frozenset[str]
    quarantine_room: Callable[[], int]
    sync: frozenset[str] = frozenset()
    threads: Callable[[Sequence[Task]], int] = len


class ClaimRefused(Enum):
    """Why an attempt is not the worker's to run."""

    STALE = "somebody else has it, it is not due, or it is not for this worker"
    NO_QUARANTINE = "the next loss is its last, and there is no process of its own for it"
    NO_THREAD = "its handler needs a thread, and the worker has none left for it"


def decide_claims(
    requests: Sequence[ClaimRequest], locked: dict[UUID, Task], now: datetime, earliest: datetime
) -> list[Task | ClaimRefused]:
    """Return for each request its task as it would run, or why the attempt is not the worker's."""
    answers: list[Task | ClaimRefused] = []
    taken = 0
    for request in requests:
        answer = _decide_claim(request, locked, now, earliest)
        if isinstance(answer, Task):
            if answer.is_last_chance and taken >= request.quarantine_room():
                answer = ClaimRefused.NO_QUARANTINE
            else:
                taken += answer.is_last_chance
                locked[request.task_id] = answer
        answers.append(answer)
    return answers


def refuse_without_thread(
    requests: Sequence[ClaimRequest],
    answers: list[Task | ClaimRefused],
    waiting: Mapping[UUID, Task],
) -> list[Task]:
    """Refuse the claims for which there is no thread, the last by score, and return their tasks.

    A quarantine process has threads of its own.
    """
    claims = sorted(
        (waiting[request.task_id].score or 0, number)
        for number, (request, answer) in enumerate(zip(requests, answers, strict=True))
        if request.sync and isinstance(answer, Task) and _needs_thread(answer, request)
    )
    if not claims:
        return []
    numbers = [number for _, number in claims]
    wanted = [waiting[requests[number].task_id] for number in numbers]
    room = requests[0].threads(wanted)
    for number in numbers[room:]:
        answers[number] = ClaimRefused.NO_THREAD
    return wanted[room:]


def _needs_thread(task: Task, request: ClaimRequest) -> bool:
    return task.handler in request.sync and not task.is_quarantined


def _decide_claim(
    request: ClaimRequest, locked: dict[UUID, Task], now: datetime, earliest: datetime
) -> Task | ClaimRefused:
    task = locked.get(request.task_id)
    if task is None or task.attempt + 1 != request.attempt or task.handler not in request.handlers:
        return ClaimRefused.STALE
    try:
        return lifecycle.claim(task, worker_id=request.worker_id, now=now, earliest=earliest)
    except IllegalTransition:
        return ClaimRefused.STALE
