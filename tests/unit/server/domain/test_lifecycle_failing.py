"""How an attempt ends that did not succeed: charged, handed back, or taken back."""

import pytest

from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.task import MAX_LOST, Outcome, Priority, Status, Task, score
from tests.unit.server.factories import NOW, WORKER, running, seconds

LATER = NOW + seconds(60)


def fail(
    task: Task, *, random: float = 0.5, backoff: Backoff | None = None, **of: object
) -> AttemptEnded:
    failure = Failure(**{"outcome": Outcome.FAILED, "type": "E", "message": "m", **of})  # type: ignore[arg-type]
    return lifecycle.fail(
        task, failure, backoff=backoff or Backoff(10, 1000), random=lambda: random, now=LATER
    )


def test_a_failure_is_charged_and_tried_again_after_the_back_off() -> None:
    ended = fail(running(current_retry_count=2, lost_count=2, priority=Priority.HIGH))
    due = LATER + seconds(10 * 2**2 * 0.5)
    assert ended.task.status is Status.RETRYING
    assert (ended.task.current_retry_count, ended.task.lost_count) == (3, 0)
    assert ended.task.run_at == ended.attempt.retry_at == due
    assert ended.task.score == score(due, Priority.HIGH)
    assert ended.task.worker_id is None


def test_the_attempt_says_what_went_wrong() -> None:
    ended = fail(
        running(attempt=4), outcome=Outcome.TIMED_OUT, type="T", message="slow", traceback="at"
    )
    attempt = ended.attempt
    assert (attempt.task_id, attempt.attempt, attempt.worker_id) == (ended.task.id, 4, WORKER)
    assert attempt.outcome is Outcome.TIMED_OUT
    assert (attempt.error_type, attempt.error_message, attempt.traceback) == ("T", "slow", "at")
    assert attempt.result is None


def test_the_last_retry_ends_the_task_and_is_not_counted_twice() -> None:
    ended = fail(running(current_retry_count=3, max_retries=3))
    assert ended.task.status is Status.FAILED
    assert ended.task.current_retry_count == 3
    assert ended.attempt.retry_at is None
    assert ended.attempt.error_message == "m"


def test_without_retries_the_first_failure_is_the_last() -> None:
    assert fail(running(max_retries=0)).task.status is Status.FAILED


def test_a_fatal_failure_ends_the_task_whatever_is_left() -> None:
    ended = fail(running(max_retries=100), fatal=True, retry_after=5.0)
    assert (ended.task.status, ended.task.current_retry_count) == (Status.FAILED, 0)
    assert ended.attempt.retry_at is None


@pytest.mark.parametrize("after", [0.0, 0.25, 86_400.0])
def test_retry_after_replaces_the_back_off_and_is_charged(after: float) -> None:
    ended = fail(running(), retry_after=after)
    assert ended.task.run_at == LATER + seconds(after)
    assert ended.task.current_retry_count == 1


def test_retry_after_is_no_way_around_max_retries() -> None:
    ended = fail(running(max_retries=1, current_retry_count=1), retry_after=1.0)
    assert ended.task.status is Status.FAILED


def test_the_task_overrides_the_handlers_back_off() -> None:
    task = running(backoff_base_seconds=2.0, backoff_max_seconds=3.0, current_retry_count=1)
    assert fail(task, random=1.0).task.run_at == LATER + seconds(3)
    task = task._replace(current_retry_count=0)
    assert fail(task, random=1.0).task.run_at == LATER + seconds(2)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT])
@pytest.mark.parametrize("fatal", [False, True])
def test_a_cancel_that_was_asked_for_wins_over_a_failure(outcome: Outcome, fatal: bool) -> None:
    ended = fail(running(cancel_requested_at=NOW), outcome=outcome, fatal=fatal)
    assert ended.task.status is Status.CANCELLED
    assert ended.task.current_retry_count == 0
    assert ended.attempt.outcome is Outcome.CANCELLED


def test_a_released_task_waits_again_and_nothing_is_charged() -> None:
    before = running(current_retry_count=1, lost_count=2, attempt=3, run_at=NOW - seconds(5))
    ended = lifecycle.release(before, now=LATER)
    assert ended.task.status is Status.QUEUED
    assert (ended.task.current_retry_count, ended.task.lost_count) == (1, 0)
    assert (ended.task.attempt, ended.task.worker_id) == (3, None)
    assert ended.task.score == score(NOW - seconds(5), before.priority)
    assert ended.attempt.outcome is Outcome.RELEASED
    assert not ended.attempt.outcome.is_error


def test_lost_workers_are_counted_until_the_task_fails() -> None:
    task = running(current_retry_count=1)
    for lost in range(1, MAX_LOST):
        ended = lifecycle.rescue(task, now=LATER)
        assert (ended.task.status, ended.task.lost_count) == (Status.QUEUED, lost)
        assert ended.task.due_at <= LATER, "no back-off"
        assert (ended.attempt.outcome, ended.attempt.error_type) == (Outcome.LOST, "WorkerLost")
        task = lifecycle.claim(ended.task, worker_id=WORKER, now=LATER)

    ended = lifecycle.rescue(task, now=LATER)
    assert (ended.task.status, ended.task.lost_count) == (Status.FAILED, MAX_LOST)
    assert ended.attempt.error_type == "WorkerLost"
    assert str(WORKER) in (ended.attempt.error_message or "")
    assert ended.task.current_retry_count == 1, "not charged"


def test_three_times_lost_is_the_limit() -> None:
    assert MAX_LOST == 3


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_what_never_ran_is_as_quarantined_as_before(lost: int) -> None:
    after = lifecycle.release(running(lost_count=lost), now=LATER, ran=False).task
    assert (after.status, after.lost_count) == (Status.QUEUED, lost)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_any_normal_end_forgets_lost_workers(lost: int) -> None:
    task = running(lost_count=lost)
    assert fail(task).task.lost_count == 0
    assert fail(task, fatal=True).task.lost_count == 0
    assert lifecycle.release(task, now=LATER).task.lost_count == 0
    assert lifecycle.cancel_running(task, now=LATER).task.lost_count == 0


@pytest.mark.parametrize("decide", [lifecycle.release, lifecycle.rescue])
def test_a_cancel_that_was_asked_for_wins_over_going_back(decide: object) -> None:
    ended: AttemptEnded = decide(running(cancel_requested_at=NOW, lost_count=2), now=LATER)  # type: ignore[operator]
    assert ended.task.status is Status.CANCELLED
    assert ended.task.finished_at == LATER
    assert ended.attempt.outcome is Outcome.CANCELLED
