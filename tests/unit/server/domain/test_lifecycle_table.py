"""Every decision in every status: where it leads, or that it is refused."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import pytest

from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import IllegalTransition, StaleAttempt
from taskq_server.domain.lifecycle import TRANSITIONS, AttemptEnded, Failure
from taskq_server.domain.task import Outcome, Priority, Status, Task, score
from tests.unit.server.factories import NOW, OTHER_WORKER, WORKER, make_task, running, seconds

LATER = NOW + seconds(60)
BROKEN = Failure(outcome=Outcome.FAILED, type="ValueError", message="broken", traceback="…")
FATAL = Failure(outcome=Outcome.FAILED, type="Fatal", message="never again", fatal=True)

Decision = Callable[[Task], Task | AttemptEnded]


def fail(task: Task, failure: Failure = BROKEN) -> AttemptEnded:
    return lifecycle.fail(task, failure, backoff=Backoff(), random=lambda: 0.5, now=LATER)


DECISIONS: dict[str, Decision] = {
    "claim": lambda task: lifecycle.claim(task, worker_id=OTHER_WORKER, now=LATER),
    "succeed": lambda task: lifecycle.succeed(task, result="1", now=LATER),
    "fail": fail,
    "fail for good": lambda task: fail(task, FATAL),
    "release": lambda task: lifecycle.release(task, now=LATER),
    "rescue": lambda task: lifecycle.rescue(task, now=LATER),
    "cancel": lambda task: lifecycle.cancel(task, now=LATER),
    "retry": lambda task: lifecycle.retry(task, now=LATER),
}

Q, R, Y = Status.QUEUED, Status.RUNNING, Status.RETRYING
S, F, C = Status.SUCCEEDED, Status.FAILED, Status.CANCELLED
NO = None

STATUSES = (Q, R, Y, S, F, C)
TABLE: dict[str, tuple[Status | None, ...]] = {
    # from:           Q   R   Y   S   F   C
    "claim": (R, NO, R, NO, NO, NO),
    "succeed": (NO, S, NO, NO, NO, NO),
    "fail": (NO, Y, NO, NO, NO, NO),
    "fail for good": (NO, F, NO, NO, NO, NO),
    "release": (NO, Q, NO, NO, NO, NO),
    "rescue": (NO, Q, NO, NO, NO, NO),
    "cancel": (C, R, C, NO, NO, C),
    "retry": (NO, NO, NO, NO, Q, Q),
}


class Case(NamedTuple):
    decision: str
    before: Status
    after: Status | None


CASES = [
    Case(decision, before, after)
    for decision, row in TABLE.items()
    for before, after in zip(STATUSES, row, strict=True)
]


def after_of(decided: Task | AttemptEnded) -> Task:
    return decided.task if isinstance(decided, AttemptEnded) else decided


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.decision} a {case.before} task")
def test_the_table(case: Case) -> None:
    before = make_task(case.before)
    decide = DECISIONS[case.decision]

    if case.after is None:
        with pytest.raises(IllegalTransition):
            decide(before)
        return

    after = after_of(decide(before))
    assert after.status is case.after
    assert after.id == before.id
    assert (after.score is not None) == after.status.waiting
    assert (after.finished_at is not None) == after.status.final
    if after.status is R:
        assert after.worker_id is not None
    if after.status.waiting:
        assert after.worker_id is None
    if after != before:
        assert after.version == before.version + 1
        assert after.updated_at == LATER


def test_the_table_and_the_published_transitions_agree() -> None:
    reached = {(case.before, case.after) for case in CASES if case.after not in (None, case.before)}
    reached.add((R, C))  # a cancel that was asked for while it ran
    assert reached == {(before, after) for before, to in TRANSITIONS.items() for after in to}


def test_a_claim_counts_the_attempt_and_names_the_worker() -> None:
    before = make_task(Y, attempt=4, run_at=NOW, current_retry_count=2)
    after = lifecycle.claim(before, worker_id=OTHER_WORKER, now=LATER)
    assert (after.attempt, after.worker_id, after.started_at) == (5, OTHER_WORKER, LATER)
    assert after.current_retry_count == 2


@pytest.mark.parametrize("status", [Q, Y])
def test_a_task_is_claimed_when_it_is_due_and_not_before(status: Status) -> None:
    before = make_task(status, run_at=LATER)
    with pytest.raises(IllegalTransition, match="not due"):
        lifecycle.claim(before, worker_id=WORKER, now=LATER - seconds(0.000001))
    assert lifecycle.claim(before, worker_id=WORKER, now=LATER).status is R


@pytest.mark.parametrize("run_at", [None, NOW])
def test_what_was_due_for_its_writer_is_due_for_a_clock_that_is_behind(
    run_at: datetime | None,
) -> None:
    fresh = make_task(run_at=run_at)
    assert lifecycle.claim(fresh, worker_id=WORKER, now=NOW - seconds(0.05)).status is R


def test_a_persons_retry_is_due_at_once_for_a_clock_that_is_behind() -> None:
    again = lifecycle.retry(make_task(F), now=LATER)
    assert lifecycle.claim(again, worker_id=WORKER, now=NOW).status is R


@pytest.mark.parametrize("status", [Q, Y])
def test_a_claim_is_judged_by_the_earliest_time_and_stored_with_the_likely_one(
    status: Status,
) -> None:
    before = make_task(status, run_at=LATER)
    now = LATER + seconds(3)
    for earliest in (NOW, LATER - seconds(0.000001)):
        with pytest.raises(IllegalTransition, match="not due"):
            lifecycle.claim(before, worker_id=WORKER, now=now, earliest=earliest)
    after = lifecycle.claim(before, worker_id=WORKER, now=now, earliest=LATER)
    assert (after.started_at, after.updated_at) == (now, now)


@pytest.mark.parametrize("status", [Q, Y])
def test_a_writer_whose_clock_was_ahead_lets_nothing_start_early(status: Status) -> None:
    before = make_task(status, run_at=LATER, updated_at=LATER + seconds(8))
    with pytest.raises(IllegalTransition, match="not due"):
        lifecycle.claim(before, worker_id=WORKER, now=LATER - seconds(0.000001))


@pytest.mark.parametrize(
    ("task", "worker", "attempt"),
    [
        (running(attempt=2), OTHER_WORKER, 2),
        (running(attempt=2), WORKER, 1),
        (running(attempt=2), WORKER, 3),
        *(
            (make_task(status, attempt=2, worker_id=WORKER), WORKER, 2)
            for status in (Q, Y, S, F, C)
        ),
    ],
)
def test_the_fence_refuses_who_does_not_hold_the_attempt(
    task: Task, worker: object, attempt: int
) -> None:
    with pytest.raises(StaleAttempt):
        lifecycle.hold(task, worker_id=worker, attempt=attempt)  # type: ignore[arg-type]


def test_the_fence_lets_the_holder_pass() -> None:
    lifecycle.hold(running(attempt=2), worker_id=WORKER, attempt=2)


def test_success_keeps_the_result_and_forgets_lost_workers() -> None:
    ended = lifecycle.succeed(running(attempt=3, lost_count=2), result="[1]", now=LATER)
    assert ended.task.lost_count == 0
    assert ended.attempt.outcome is Outcome.SUCCEEDED
    assert ended.attempt.result == "[1]"
    assert (ended.attempt.attempt, ended.attempt.worker_id) == (3, WORKER)
    assert (ended.attempt.started_at, ended.attempt.finished_at) == (NOW, LATER)
    assert ended.attempt.error_type is None
    assert ended.attempt.retry_at is None


def test_a_cancel_that_comes_too_late_does_not_undo_success() -> None:
    asked = lifecycle.cancel(running(), now=NOW)
    assert lifecycle.succeed(asked, result="1", now=LATER).task.status is S


def test_a_cancel_is_a_request_while_the_task_runs() -> None:
    asked = lifecycle.cancel(running(), now=LATER)
    assert (asked.status, asked.cancel_requested_at) == (R, LATER)
    assert lifecycle.cancel(asked, now=LATER + seconds(1)) is asked
    ended = lifecycle.cancel_running(asked, now=LATER)
    assert ended.task.status is C
    assert ended.attempt.outcome is Outcome.CANCELLED


@pytest.mark.parametrize("status", [Q, Y, S, F, C])
def test_only_a_running_attempt_can_end_in_a_cancellation(status: Status) -> None:
    with pytest.raises(IllegalTransition):
        lifecycle.cancel_running(make_task(status), now=LATER)


@pytest.mark.parametrize("status", [Q, Y])
def test_a_waiting_task_is_cancelled_at_once(status: Status) -> None:
    after = lifecycle.cancel(make_task(status), now=LATER)
    assert (after.cancel_requested_at, after.finished_at) == (LATER, LATER)


def test_cancelling_a_cancelled_task_changes_nothing() -> None:
    cancelled = make_task(C)
    assert lifecycle.cancel(cancelled, now=LATER) is cancelled


def test_a_persons_retry_starts_afresh_but_keeps_the_attempt_number() -> None:
    before = make_task(
        F,
        attempt=7,
        current_retry_count=3,
        lost_count=2,
        progress='{"current":1}',
        cancel_requested_at=NOW,
        priority=Priority.URGENT,
        run_at=NOW - seconds(500),
    )
    after = lifecycle.retry(before, now=LATER)
    assert (after.current_retry_count, after.lost_count, after.attempt) == (0, 0, 7)
    assert (after.progress, after.cancel_requested_at, after.finished_at) == (None, None, None)
    assert (after.run_at, after.score) == (LATER, score(LATER, Priority.URGENT))


@pytest.mark.parametrize("status", STATUSES)
def test_a_task_can_be_deleted_unless_it_runs(status: Status) -> None:
    if status is R:
        with pytest.raises(IllegalTransition, match="cancel it first"):
            lifecycle.check_deletable(make_task(status))
    else:
        lifecycle.check_deletable(make_task(status))
