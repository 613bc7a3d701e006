"""When a worker asks again for what it had no room for, and when it rings for others."""

from datetime import timedelta

import pytest

from taskq_server.domain.admission import Gate, NotNow, due_of
from taskq_server.domain.deferrals import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    TRUSTED_SECONDS,
    Deferrals,
    Key,
)
from taskq_server.domain.task import Task
from tests.unit.server.factories import NOW, make_task

ROOM = Gate.QUARANTINE
TASK = make_task(lost_count=2, attempt=2)
KEY: Key = (TASK.id, 3)


def refusal(task: Task = TASK, gate: Gate = ROOM) -> NotNow:
    return NotNow(gate, due_of(task))


@pytest.fixture
def deferrals() -> Deferrals:
    """With one attempt that was refused at 0."""
    made = Deferrals()
    made.defer(refusal(), 0.0)
    return made


def test_what_has_room_is_asked_for_once_lowest_score_first() -> None:
    made = Deferrals()
    tasks = [make_task(created_at=NOW + timedelta(seconds=n)) for n in (3, 1, 2)]
    for task in tasks:
        made.defer(refusal(task), 0.0)
    first, second, last = ((tasks[n].id, 1) for n in (1, 2, 0))
    assert made.take(ROOM, 0) == []
    assert made.take(ROOM, 2) == [first, second]
    assert made.take(ROOM, 2) == [], "two are asked for already"
    made.forget(first)
    made.defer(refusal(tasks[2]), 1.0)
    assert made.take(ROOM, 1) == [second], "it was refused again"
    made.forget(second)
    assert made.take(ROOM, 5) == [last]
    made.forget(last)
    assert len(made) == 0


def test_a_gate_lets_its_own_attempts_pass_only() -> None:
    made = Deferrals()
    made.defer(refusal(gate=Gate.THREAD), 0.0)
    assert not made.is_waiting(ROOM)
    assert made.take(ROOM, 5) == []
    assert made.is_waiting(Gate.THREAD)
    assert made.take(Gate.THREAD, 1) == [KEY]


def test_others_are_rung_for_after_a_second_and_then_after_twice_as_long(
    deferrals: Deferrals,
) -> None:
    now, pause = 0.0, FIRST_PAUSE_SECONDS
    while now < TRUSTED_SECONDS - LONGEST_PAUSE_SECONDS:
        assert deferrals.ring(now + pause - 0.01) == []
        now += pause
        assert deferrals.ring(now) == [due_of(TASK)]
        assert deferrals.ring(now + 100) == [], "one doorbell is out"
        assert deferrals.is_own_ring(KEY, now), "nobody took it"
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
    assert pause == LONGEST_PAUSE_SECONDS


def test_a_doorbell_that_others_rang_is_asked_for(deferrals: Deferrals) -> None:
    assert not deferrals.is_own_ring(KEY, 0.5), "none of ours is out"
    assert not deferrals.is_own_ring((TASK.id, 4), 0.5), "another attempt"
    deferrals.ring(1.0)
    assert deferrals.is_own_ring(KEY, 1.1)
    assert not deferrals.is_own_ring(KEY, 1.2), "it came back already"


def test_a_refusal_is_believed_for_some_time_only(deferrals: Deferrals) -> None:
    deferrals.ring(1.0)
    assert not deferrals.is_own_ring(KEY, TRUSTED_SECONDS + 0.1)
    deferrals.defer(refusal(), TRUSTED_SECONDS + 0.2)
    deferrals.ring(2 * TRUSTED_SECONDS)
    assert deferrals.is_own_ring(KEY, 2 * TRUSTED_SECONDS)


def test_what_is_asked_for_is_not_rung_for(deferrals: Deferrals) -> None:
    deferrals.take(ROOM, 1)
    assert deferrals.ring(10.0) == deferrals.ring_all() == []


def test_a_worker_that_stops_rings_for_all_at_once(deferrals: Deferrals) -> None:
    assert deferrals.ring_all() == [due_of(TASK)]
    assert deferrals.ring_all() == []


def test_no_more_are_kept_than_there_may_be() -> None:
    made = Deferrals(most=2)
    tasks = [make_task() for _ in range(3)]
    for task in tasks:
        made.defer(refusal(task), 0.0)
    made.defer(refusal(tasks[0]), 1.0)
    assert len(made) == 2
    assert set(made.take(ROOM, 5)) == {(task.id, 1) for task in tasks[:2]}
