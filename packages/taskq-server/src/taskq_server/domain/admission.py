"""Admission: may a waiting attempt start on this worker now, and if not, what frees its way?

A claim passes one gate after the other. A gate says yes, or not now. The row of a refused task
stays as it is, because a refusal concerns one worker and one moment: others may have room.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from taskq_server.domain import lifecycle
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.errors import IllegalTransition
from taskq_server.domain.task import Due, Task


class ClaimRequest(NamedTuple):
    """A worker's wish to run one attempt.

    Attributes:
        task_id: the task.
        attempt: the attempt the doorbell rang for; another one is none of its business.
        worker_id: who asks.
        namespaces: whose tasks the worker runs; `*` among them stands for all.
        handlers: what the worker can run.
        quarantine_room: returns the number of free quarantine processes.
        sync: which of its handlers need a thread.
        threads: how many of some tasks it could give a thread, in this order.
        in_process: which of its handlers need a process.
        process_room: returns the number of free processes.
    """

    task_id: UUID
    attempt: int
    worker_id: UUID
    namespaces: frozenset[str]
    handlers: frozenset[str]
    quarantine_room: Callable[[], int]
    sync: frozenset[str] = frozenset()
    threads: Callable[[Sequence[Task]], int] = len
    in_process: frozenset[str] = frozenset()
    process_room: Callable[[], int] = int


class Gate(Enum):
    """What an attempt needs besides a slot: its queue, or a resource of its worker."""

    QUEUE = "a queue that is not paused"
    QUARANTINE = "a quarantine process, because one more lost worker fails the task"
    THREAD = "a thread, because the handler is a plain function"
    PROCESS = "a process, because the handler asks for one"


class NotNow(NamedTuple):
    """A refusal that ends by itself.

    Attributes:
        gate: what has to be free first.
        due: the attempt, as its doorbell names it.
    """

    gate: Gate
    due: Due


class _Rule(NamedTuple):
    gate: Gate
    concerns: Callable[[Task, ClaimRequest], bool]
    room: Callable[[ClaimRequest, Sequence[Task]], int]


def _needs_thread(task: Task, request: ClaimRequest) -> bool:
    """A quarantine process has threads of its own."""
    return task.handler in request.sync and not task.is_quarantined


def _needs_process(task: Task, request: ClaimRequest) -> bool:
    """A quarantined task runs in quarantine, whatever its handler asks for."""
    return task.handler in request.in_process and not task.is_quarantined


_RULES = (
    _Rule(
        Gate.QUARANTINE, lambda task, _: task.is_last_chance, lambda ask, _: ask.quarantine_room()
    ),
    _Rule(Gate.THREAD, _needs_thread, lambda ask, tasks: ask.threads(tasks)),
    _Rule(Gate.PROCESS, _needs_process, lambda ask, _: ask.process_room()),
)


def admit(
    requests: Sequence[ClaimRequest],
    waiting: Mapping[UUID, Task],
    now: datetime,
    earliest: datetime,
    paused: Collection[UUID] = (),
) -> list[Task | NotNow | None]:
    """Decide about claims of one worker; where room is short, the lowest scores have it.

    Args:
        requests: what the worker wants to run.
        waiting: the locked tasks that exist.
        now: aware UTC.
        earliest: the earliest time that it may be.
        paused: the tasks whose queue is paused.

    Returns:
        For each request its task as it would run, or which gate is closed; None if the attempt is
        not the worker's: another worker has it, it is not due, or the worker lacks its handler or
        does not serve its namespace.
    """
    tasks = dict(waiting)
    answers: list[Task | NotNow | None] = []
    concerned: dict[_Rule, list[int]] = {rule: [] for rule in _RULES}
    for number, request in enumerate(requests):
        claimed = _claimed(request, tasks, now, earliest)
        if claimed is not None and claimed.id in paused:
            answers.append(NotNow(Gate.QUEUE, due_of(tasks[claimed.id])))
            continue
        answers.append(claimed)
        if claimed is not None:
            tasks[claimed.id] = claimed
            for rule, numbers in concerned.items():
                if rule.concerns(claimed, request):
                    numbers.append(number)
    for rule, numbers in concerned.items():
        open_ones = [number for number in numbers if isinstance(answers[number], Task)]
        if open_ones:
            _close(rule, requests, answers, open_ones, waiting)
    return answers


def _claimed(
    request: ClaimRequest, tasks: Mapping[UUID, Task], now: datetime, earliest: datetime
) -> Task | None:
    task = tasks.get(request.task_id)
    if task is None or task.attempt + 1 != request.attempt or not _may_run(task, request):
        return None
    try:
        return lifecycle.claim(task, worker_id=request.worker_id, now=now, earliest=earliest)
    except IllegalTransition:
        return None


def _may_run(task: Task, request: ClaimRequest) -> bool:
    served = request.namespaces
    is_served = task.namespace in served or ALL_NAMESPACES in served
    return is_served and task.handler in request.handlers


def _close(
    rule: _Rule,
    requests: Sequence[ClaimRequest],
    answers: list[Task | NotNow | None],
    concerned: Sequence[int],
    waiting: Mapping[UUID, Task],
) -> None:
    """Refuse the claims for which a rule finds no room."""
    tasks = {number: waiting[requests[number].task_id] for number in concerned}
    ordered = sorted(concerned, key=lambda number: (tasks[number].score or 0, number))
    room = rule.room(requests[ordered[0]], [tasks[number] for number in ordered])
    for number in ordered[max(0, room) :]:
        answers[number] = NotNow(rule.gate, due_of(tasks[number]))


def due_of(task: Task) -> Due:
    """Return a waiting task as its doorbell names it."""
    assert task.score is not None, "it waits"
    return Due(task.id, task.attempt, task.namespace, task.queue, task.score)
