"""The lifecycle of a task: every decision that changes a task, as a pure function.

A decision takes a task and returns the task after it, or raises `IllegalTransition`; a worker's
decision first passes the fence (`StaleAttempt`). The caller has locked the row, and writes the
returned task. Only this module decides about status, attempt, retries and due times.

    submit ──► queued ──claim──► running ──► succeeded
                 │  ▲               │  ├───► failed      (no retries left, fatal, lost 3 times)
                 │  └──release──────┤  ├───► cancelled   (cancel asked while running)
                 ▼                  ▼  │
             cancelled          retrying ──claim──► running

A person's `retry` takes failed or cancelled back to queued; nothing else leaves a final status.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import IllegalTransition, StaleAttempt
from taskq_server.domain.requests import Edit
from taskq_server.domain.task import (
    FAILING,
    MAX_LOST,
    Attempt,
    Outcome,
    Status,
    Task,
    score,
)

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED}),
    Status.RUNNING: frozenset(Status) - {Status.RUNNING},
    Status.RETRYING: frozenset({Status.RUNNING, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.CANCELLED: frozenset({Status.QUEUED}),
}
"""The statuses that may follow each status; the last two rows are a person's retry."""


class AttemptEnded(NamedTuple):
    """The task after an attempt has ended, the record of that attempt, and the task before."""

    task: Task
    attempt: Attempt
    before: Task

    @property
    def run_time(self) -> timedelta:
        """How long the attempt ran; below zero if the clocks of two servers differ."""
        return self.attempt.finished_at - self.attempt.started_at

    @property
    def is_failure(self) -> bool:
        """Whether the attempt failed, so that `on_retry` or `on_job_failure` follows."""
        return follows_failure(self.task.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt did not succeed.

    Attributes:
        outcome: `failed` or `timed_out`.
        type: class name of the error.
        message: the error's text, already capped.
        traceback: capped, or None.
        fatal: whether to fail the task without a retry.
        retry_after: seconds until the next try instead of the back-off, or None.
    """

    outcome: Outcome
    type: str
    message: str
    traceback: str | None = None
    fatal: bool = False
    retry_after: float | None = None


def follows_failure(status: Status) -> bool:
    """Return whether a task has this status because its last attempt failed."""
    return status in FAILING


def is_due(task: Task, earliest: datetime) -> bool:
    """Return whether a waiting task may start.

    A task due at its last update counts as due, even if this process's clock is a few milliseconds
    behind. A `run_at` that a caller asked for must have passed, because the writer's clock may have
    been ahead.

    Args:
        task: a waiting task.
        earliest: the lower bound of the present time, aware UTC.
    """
    return task.run_at is None or task.run_at == task.updated_at or task.run_at <= earliest


def claim(task: Task, *, worker_id: UUID, now: datetime, earliest: datetime | None = None) -> Task:
    """Give a due task to a worker.

    Args:
        task: a waiting task.
        worker_id: the worker that gets it.
        now: the start time to store, aware UTC.
        earliest: the lower bound of the present time, for `is_due`; None takes `now`.

    Raises:
        IllegalTransition: the task is not waiting, or not due yet.
    """
    _require(task, Status.RUNNING)
    if not is_due(task, now if earliest is None else earliest):
        raise IllegalTransition(f"task {task.id} is not due before {task.due_at.isoformat()}")
    return _advance(
        task,
        now,
        status=Status.RUNNING,
        attempt=task.attempt + 1,
        worker_id=worker_id,
        score=None,
        started_at=now,
    )


def hold(task: Task, *, worker_id: UUID, attempt: int) -> None:
    """Check the fence: only the worker that runs this very attempt may change the task.

    Raises:
        StaleAttempt: another worker, another attempt or no worker holds the task.
    """
    if (task.status, task.worker_id, task.attempt) != (Status.RUNNING, worker_id, attempt):
        raise StaleAttempt(f"attempt {attempt} of task {task.id} is no longer held by {worker_id}")


def succeed(task: Task, *, result: str, now: datetime) -> AttemptEnded:
    """End a running task as succeeded; a cancel request that came too late changes nothing."""
    _require_running(task)
    return _end(task, now, Outcome.SUCCEEDED, _final(task, Status.SUCCEEDED, now), result=result)


def fail(
    task: Task,
    failure: Failure,
    *,
    backoff: Backoff,
    random: Callable[[], float],
    now: datetime,
) -> AttemptEnded:
    """Charge a failure: retry the task after the back-off, or fail it for good."""
    _require_running(task)
    if task.cancel_requested_at is not None:
        return cancel_running(task, now=now)
    ended = partial(
        _end,
        task,
        now,
        failure.outcome,
        error_type=failure.type,
        error_message=failure.message,
        traceback=failure.traceback,
    )
    if failure.fatal or task.current_retry_count >= task.max_retries:
        return ended(_final(task, Status.FAILED, now))
    delay = failure.retry_after
    if delay is None:
        window = backoff.override(task.backoff_base_seconds, task.backoff_max_seconds)
        delay = window.delay(task.current_retry_count, random)
    retry_at = now + timedelta(seconds=delay)
    after = _advance(
        task,
        now,
        status=Status.RETRYING,
        run_at=retry_at,
        score=score(retry_at, task.priority),
        current_retry_count=task.current_retry_count + 1,
        lost_count=0,
        worker_id=None,
    )
    return ended(after, retry_at=retry_at)


def release(task: Task, *, now: datetime, ran: bool = True) -> AttemptEnded:
    """Queue a running task again without charging a retry, because its worker stops or has no room.

    Args:
        task: a running task.
        now: aware UTC.
        ran: whether its handler was called; only then its count of lost workers starts again at 0.
    """
    _require_running(task)
    if task.cancel_requested_at is not None:
        return cancel_running(task, now=now)
    lost = 0 if ran else task.lost_count
    return _end(task, now, Outcome.RELEASED, _requeued(task, now, lost_count=lost))


def put_off(task: Task, failure: Failure, *, pause: float, now: datetime) -> AttemptEnded:
    """Queue a running task again for later, without charging its failure.

    Args:
        task: a running task, whose handler was not called.
        failure: why the handler could not be called.
        pause: seconds until the task is due again.
        now: aware UTC.
    """
    _require_running(task)
    if task.cancel_requested_at is not None:
        return cancel_running(task, now=now)
    again = now + timedelta(seconds=pause)
    after = _requeued(task._replace(run_at=again), now, lost_count=task.lost_count)
    return _end(
        task,
        now,
        Outcome.RELEASED,
        after,
        error_type=failure.type,
        error_message=failure.message,
        retry_at=again,
    )


def rescue(task: Task, *, now: datetime, why: str | None = None) -> AttemptEnded:
    """Queue a running task again whose worker was lost; the `MAX_LOST`th loss in a row fails it.

    Args:
        task: a running task.
        now: aware UTC.
        why: a sentence about the loss; None if the process that ran the attempt is gone.
    """
    _require_running(task)
    if task.cancel_requested_at is not None:
        return cancel_running(task, now=now)
    lost = task.lost_count + 1
    if lost >= MAX_LOST:
        after = _final(task, Status.FAILED, now)._replace(lost_count=lost)
    else:
        after = _requeued(task, now, lost_count=lost)
    message = why or f"the process of worker {task.worker_id} that ran this attempt vanished"
    return _end(task, now, Outcome.LOST, after, error_type="WorkerLost", error_message=message)


def cancel_running(task: Task, *, now: datetime) -> AttemptEnded:
    """End a running task as cancelled."""
    _require_running(task)
    return _end(task, now, Outcome.CANCELLED, _final(task, Status.CANCELLED, now))


def cancel(task: Task, *, now: datetime) -> Task:
    """Cancel a waiting task at once, or request the cancellation of a running one.

    Raises:
        IllegalTransition: the task succeeded or failed.
    """
    if task.status is Status.CANCELLED:
        return task
    if task.status is Status.RUNNING:
        if task.cancel_requested_at is not None:
            return task
        return _advance(task, now, cancel_requested_at=now)
    _require(task, Status.CANCELLED)
    return _final(task, Status.CANCELLED, now)._replace(cancel_requested_at=now)


def retry(task: Task, *, now: datetime) -> Task:
    """Queue a failed or cancelled task again by a person's decision, with all its retries.

    Raises:
        IllegalTransition: the task is in another status.
    """
    if not task.status.final:
        raise IllegalTransition(f"a {task.status} task cannot be retried")
    _require(task, Status.QUEUED)
    return _advance(
        task,
        now,
        status=Status.QUEUED,
        run_at=now,
        score=score(now, task.priority),
        current_retry_count=0,
        lost_count=0,
        worker_id=None,
        progress=None,
        cancel_requested_at=None,
        finished_at=None,
    )


def edit(task: Task, changes: Edit, *, now: datetime) -> Task:
    """Change fields of a task, as far as its status allows.

    Title and description: always. Priority, max_retries and timeout_seconds: until the task is
    final. run_at: while it waits.

    Raises:
        IllegalTransition: the status does not allow changing a given field any more.
    """
    until_final = changes.given & {"priority", "max_retries", "timeout_seconds"}
    if until_final and task.status.final:
        raise IllegalTransition(f"{', '.join(sorted(until_final))}: the task is {task.status}")
    if "run_at" in changes.given and not task.status.waiting:
        raise IllegalTransition(f"run_at: the task is {task.status}")
    after = _advance(task, now, **{name: getattr(changes, name) for name in changes.given})
    if "run_at" in changes.given and changes.run_at is None:
        after = after._replace(run_at=now)
    if task.status.waiting:
        after = after._replace(score=score(after.due_at, after.priority))
    return after


def replace(task: Task, *, payload: str, run_at: datetime | None, now: datetime) -> Task:
    """Give a waiting task the payload and the start of a newer submit.

    Args:
        task: a waiting task.
        payload: JSON text that fits its handler.
        run_at: earliest start, aware UTC; None stands for now.
        now: aware UTC.

    Raises:
        IllegalTransition: the task does not wait.
    """
    start = Edit(given=frozenset({"run_at"}), run_at=run_at)
    return edit(task, start, now=now)._replace(payload=payload)


def check_deletable(task: Task) -> None:
    """Check that the task may be deleted.

    Raises:
        IllegalTransition: the task is running.
    """
    if task.status is Status.RUNNING:
        raise IllegalTransition("a running task cannot be deleted: cancel it first")


def _require(task: Task, target: Status) -> None:
    if target not in TRANSITIONS[task.status]:
        raise IllegalTransition(f"a {task.status} task cannot become {target}")


def _require_running(task: Task) -> None:
    if task.status is not Status.RUNNING:
        raise IllegalTransition(f"a {task.status} task has no attempt that could end")


def _advance(task: Task, now: datetime, **changes: Any) -> Task:
    return task._replace(version=task.version + 1, updated_at=now, **changes)


def _final(task: Task, status: Status, now: datetime) -> Task:
    _require(task, status)
    return _advance(task, now, status=status, score=None, lost_count=0, finished_at=now)


def _requeued(task: Task, now: datetime, *, lost_count: int) -> Task:
    return _advance(
        task,
        now,
        status=Status.QUEUED,
        score=score(task.due_at, task.priority),
        lost_count=lost_count,
        worker_id=None,
    )


def _end(
    before: Task,
    now: datetime,
    outcome: Outcome,
    after: Task,
    *,
    result: str | None = None,
    error_type: str | None = None,
    error_message: str | None = None,
    traceback: str | None = None,
    retry_at: datetime | None = None,
) -> AttemptEnded:
    return AttemptEnded(
        after,
        Attempt(
            task_id=before.id,
            attempt=before.attempt,
            outcome=outcome,
            result=result,
            error_type=error_type,
            error_message=error_message,
            traceback=traceback,
            worker_id=before.worker_id,
            started_at=before.started_at or before.created_at,
            finished_at=now,
            retry_at=retry_at,
        ),
        before,
    )
