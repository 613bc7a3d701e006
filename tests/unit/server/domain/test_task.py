"""The place in the queue, and the task as a value."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain.task import (
    PRIORITY_STEP_SECONDS,
    Attempt,
    Outcome,
    Priority,
    Status,
    TaskDetails,
    score,
)
from tests.unit.server.factories import NOW, make_task, seconds

YEAR = 365 * 86_400_000
MOMENTS = st.integers(-50 * YEAR, 800 * YEAR).map(lambda n: NOW + seconds(n / 1000))


def test_of_equal_due_times_the_higher_priority_goes_first() -> None:
    order = sorted(Priority, key=lambda priority: score(NOW, priority))
    assert order == [Priority.URGENT, Priority.HIGH, Priority.NORMAL, Priority.LOW]


@given(MOMENTS, st.sampled_from(Priority), st.sampled_from(Priority))
def test_waiting_long_enough_beats_any_priority(
    moment: datetime, old: Priority, new: Priority
) -> None:
    longest = PRIORITY_STEP_SECONDS * (Priority.URGENT - Priority.LOW)
    assert score(moment, old) < score(moment + seconds(longest + 0.002), new)


@given(MOMENTS, st.sampled_from(Priority))
def test_of_equal_priorities_the_older_goes_first(moment: datetime, priority: Priority) -> None:
    assert score(moment, priority) < score(moment + seconds(0.002), priority)


def test_a_score_is_milliseconds() -> None:
    assert score(NOW, Priority.LOW) == int(NOW.timestamp() * 1000)
    step = score(NOW, Priority.LOW) - score(NOW, Priority.NORMAL)
    assert step == PRIORITY_STEP_SECONDS * 1000


def test_priorities_have_names_on_the_wire() -> None:
    assert [priority.label for priority in Priority] == ["low", "normal", "high", "urgent"]
    assert all(Priority.from_label(priority.label) is priority for priority in Priority)
    with pytest.raises(KeyError):
        Priority.from_label("huge")


def test_a_task_without_run_at_is_due_when_it_was_created() -> None:
    assert make_task().due_at == NOW
    assert make_task(run_at=NOW + seconds(5)).due_at == NOW + seconds(5)


def test_statuses_are_waiting_running_or_final() -> None:
    assert {s for s in Status if s.final} == {"succeeded", "failed", "cancelled"}
    assert {s for s in Status if s.waiting} == {"queued", "retrying"}


def ended(attempt: int, outcome: Outcome, result: str | None = None) -> Attempt:
    task = make_task()
    return Attempt(
        task_id=task.id,
        attempt=attempt,
        outcome=outcome,
        result=result,
        started_at=NOW,
        finished_at=NOW,
    )


def test_a_snapshot_shows_the_result_of_the_last_attempt_once_it_succeeded() -> None:
    attempts = (ended(1, Outcome.FAILED), ended(2, Outcome.SUCCEEDED, "[2]"))
    done = make_task(Status.SUCCEEDED, attempt=2)
    assert TaskDetails(done, (), attempts).result == "[2]"
    assert TaskDetails(make_task(Status.RUNNING, attempt=2), (), attempts).result is None
    assert TaskDetails(done, ()).result is None


def test_the_errors_of_a_snapshot_are_its_failed_attempts() -> None:
    attempts = tuple(ended(n, outcome) for n, outcome in enumerate(Outcome))
    errors = TaskDetails(make_task(), (), attempts).errors
    assert [error.outcome for error in errors] == ["failed", "timed_out", "lost"]
