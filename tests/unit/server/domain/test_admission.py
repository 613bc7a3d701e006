"""Which claims pass the gates."""

from collections.abc import Sequence
from typing import Any

import pytest

from taskq_server.domain.admission import ClaimRequest, Gate, NotNow, admit, due_of
from taskq_server.domain.task import Priority, Status, Task
from tests.unit.server.factories import NOW, WORKER, make_task, running, seconds

SYNC = "sync"


def decide(
    tasks: Sequence[Task], waiting: Sequence[Task] | None = None, **room: Any
) -> list[Task | NotNow | None]:
    """Ask for the next attempt of each task, in this order, of those that are waiting."""
    requests = [
        ClaimRequest(
            **{
                "task_id": task.id,
                "attempt": task.attempt + 1,
                "worker_id": WORKER,
                "namespaces": frozenset({"default"}),
                "handlers": frozenset({task.handler, SYNC}),
                "quarantine_room": lambda: 0,
                "sync": frozenset({SYNC}),
                **room,
            }
        )
        for task in tasks
    ]
    found = tasks if waiting is None else waiting
    return admit(requests, {task.id: task for task in found}, NOW, NOW)


def verdicts(answers: Sequence[Task | NotNow | None]) -> list[Gate | bool]:
    """For each answer which gate was closed, or whether the task runs."""
    return [one.gate if isinstance(one, NotNow) else one is not None for one in answers]


def test_what_needs_nothing_passes() -> None:
    task = make_task()
    (answer,) = decide([task])
    assert isinstance(answer, Task)
    assert (answer.status, answer.worker_id, answer.attempt) == (Status.RUNNING, WORKER, 1)


@pytest.mark.parametrize(
    "task", [running(), make_task(Status.FAILED), make_task(run_at=NOW + seconds(1))]
)
def test_what_is_not_the_workers_passes_no_gate(task: Task) -> None:
    assert decide([task]) == [None]
    assert decide([task], waiting=[]) == [None]


def test_a_task_that_is_asked_for_twice_runs_once() -> None:
    task = make_task()
    assert verdicts(decide([task, task])) == [True, False]


def test_a_quarantine_process_is_for_the_lowest_score() -> None:
    low, urgent = (make_task(lost_count=2, priority=one) for one in (Priority.LOW, Priority.URGENT))
    shared = make_task(lost_count=1)
    answers = decide([low, shared, urgent], quarantine_room=lambda: 1)
    assert verdicts(answers) == [Gate.QUARANTINE, True, True]
    assert answers[0] == NotNow(Gate.QUARANTINE, due_of(low))


@pytest.mark.parametrize("room", [0, -1])
def test_no_room_is_none(room: int) -> None:
    """There may be more processes than are allowed, for a moment."""
    tasks = [make_task(lost_count=2), make_task(lost_count=2)]
    assert verdicts(decide(tasks, quarantine_room=lambda: room)) == [Gate.QUARANTINE] * 2


def test_threads_are_asked_about_in_the_order_of_scores() -> None:
    asked: list[Task] = []

    def one_thread(tasks: Sequence[Task]) -> int:
        asked.extend(tasks)
        return 1

    low, high = (make_task(handler=SYNC, priority=one) for one in (Priority.LOW, Priority.HIGH))
    quarantined, other = make_task(handler=SYNC, lost_count=1), make_task()
    answers = decide([low, quarantined, other, high], threads=one_thread)
    assert verdicts(answers) == [Gate.THREAD, True, True, True]
    assert asked == [high, low]


def test_a_process_is_for_the_lowest_score_and_quarantine_needs_none() -> None:
    names = {"in_process": frozenset({"compute"}), "handlers": frozenset({"compute", "other"})}
    low, high = (
        make_task(handler="compute", priority=one) for one in (Priority.LOW, Priority.HIGH)
    )
    quarantined, other = make_task(handler="compute", lost_count=1), make_task(handler="other")
    tasks = [low, quarantined, other, high]
    answers = decide(tasks, **names, process_room=lambda: 1)
    assert verdicts(answers) == [Gate.PROCESS, True, True, True]
    assert answers[0] == NotNow(Gate.PROCESS, due_of(low))
    assert verdicts(decide(tasks, **names)) == [Gate.PROCESS, True, True, Gate.PROCESS]


def test_a_task_of_another_namespace_is_not_the_workers() -> None:
    mine, theirs = make_task(handler="a", namespace="b"), make_task(handler="a", namespace="c")
    assert verdicts(decide([mine, theirs], namespaces=frozenset({"a", "b"}))) == [True, False]
