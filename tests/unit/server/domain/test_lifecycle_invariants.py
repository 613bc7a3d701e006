"""What stays true through any sequence of decisions."""

from datetime import datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import IllegalTransition, StaleAttempt
from taskq_server.domain.lifecycle import TRANSITIONS, AttemptEnded, Failure
from taskq_server.domain.requests import Edit
from taskq_server.domain.task import MAX_LOST, Outcome, Priority, Status, Task, score
from tests.unit.server.factories import NOW, OTHER_WORKER, WORKER, make_task, seconds

PEOPLE = ("cancel", "retry", "edit")
WORKERS = ("claim", "succeed", "fail", "fatal", "retry after", "release", "rescue", "interrupted")

STEP = st.tuples(
    st.sampled_from(PEOPLE + WORKERS),
    st.sampled_from([WORKER, OTHER_WORKER]),
    st.floats(0, 400),
    st.integers(-1, 1),
)


def decide(
    name: str, task: Task, worker: UUID, attempt: int, now: datetime
) -> Task | AttemptEnded | None:
    if name == "claim":
        return lifecycle.claim(task, worker_id=worker, now=now)
    if name == "cancel":
        return lifecycle.cancel(task, now=now)
    if name == "retry":
        return lifecycle.retry(task, now=now)
    if name == "edit":
        changes = Edit(given=frozenset({"priority", "title"}), title="t", priority=Priority.LOW)
        return lifecycle.edit(task, changes, now=now)
    if name == "rescue":
        return lifecycle.rescue(task, now=now)
    lifecycle.hold(task, worker_id=worker, attempt=attempt)
    return end(name, task, now)


def end(name: str, task: Task, now: datetime) -> AttemptEnded | None:
    if name == "succeed":
        return lifecycle.succeed(task, result="1", now=now)
    if name == "release":
        return lifecycle.release(task, now=now)
    if name == "interrupted":
        return lifecycle.cancel_running(task, now=now) if task.cancel_requested_at else None
    failure = Failure(
        outcome=Outcome.TIMED_OUT if name == "fail" else Outcome.FAILED,
        type="E",
        message="m",
        fatal=name == "fatal",
        retry_after=1.0 if name == "retry after" else None,
    )
    return lifecycle.fail(task, failure, backoff=Backoff(), random=lambda: 0.5, now=now)


def check(before: Task, after: Task, name: str) -> None:
    assert after.id == before.id
    assert after.created_at == before.created_at
    if after != before:
        assert after.version > before.version
    if after.status is not before.status:
        assert after.status in TRANSITIONS[before.status]
    if before.status.final and not after.status.final:
        assert name == "retry"
    assert after.attempt == before.attempt + (name == "claim")
    assert 0 <= after.current_retry_count <= after.max_retries
    assert 0 <= after.lost_count <= MAX_LOST
    assert (after.score is not None) == after.status.waiting
    if after.score is not None:
        assert after.score == score(after.due_at, after.priority)
    assert (after.finished_at is not None) == after.status.final
    if after.status is Status.RUNNING:
        assert after.worker_id is not None


@given(retries=st.integers(0, 3), steps=st.lists(STEP, max_size=40))
def test_any_sequence_of_decisions_keeps_the_invariants(
    retries: int, steps: list[tuple[str, UUID, float, int]]
) -> None:
    task = make_task(max_retries=retries)
    now = NOW
    ended: list[int] = []
    for name, worker, pause, off in steps:
        now += seconds(pause)
        before = task
        try:
            decided = decide(name, task, worker, task.attempt + off, now)
        except (IllegalTransition, StaleAttempt):
            continue
        if isinstance(decided, AttemptEnded):
            assert before.status is Status.RUNNING
            assert decided.attempt.attempt == before.attempt
            assert decided.attempt.retry_at == (
                decided.task.run_at if decided.task.status is Status.RETRYING else None
            )
            ended.append(decided.attempt.attempt)
            task = decided.task
        elif decided is not None:
            task = decided
        check(before, task, name)
    assert ended == sorted(set(ended)), "one record for each attempt"


@given(late=st.floats(0, 10**9), retries=st.integers(0, 5))
def test_a_task_that_always_fails_runs_max_retries_plus_one_times(
    late: float, retries: int
) -> None:
    now = NOW + seconds(late)
    task = make_task(max_retries=retries)
    while not task.status.final:
        now = max(now, task.due_at)
        task = lifecycle.claim(task, worker_id=WORKER, now=now)
        ended = end("fail", task, now)
        assert ended is not None
        task = ended.task
    assert (task.status, task.attempt) == (Status.FAILED, retries + 1)
