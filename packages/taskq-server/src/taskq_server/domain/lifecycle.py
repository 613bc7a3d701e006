"""The life of a task: every decision that changes one, as a pure function.

A decision takes a task and returns the task after it, or raises `IllegalTransition`; a decision of
a worker first passes the fence (`StaleAttempt`). Who calls it has locked the row, and writes what
comes back. Nothing else in taskq decides about status, attempt, retries or due times.

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
from typing import Any
from uuid import UUID

from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import IllegalTransition, StaleAttempt
from taskq_server.domain.task import MAX_LOST, Attempt, Outcome, Priority, Status, Task, score

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED}),
    Status.RUNNING: frozenset(Status) - {Status.RUNNING},
    Status.RETRYING: frozenset({Status.RUNNING, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.CANCELLED: frozenset({Status.QUEUED}),
}
"""Which status may follow which; the last two rows are a person's retry."""


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """What the end of an attempt decided: the task after it, and the record of the attempt."""

    task: Task
    attempt: Attempt

    @property
    def is_failure(self) -> bool:
        """Whether the attempt failed, so that `on_retry` or `on_job_failure` follows."""
        return self.task.status is Status.RETRYING or self.task.status is Status.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt did not succeed.

    Attributes:
        outcome: `failed` or `timed_out`.
        type: class name of the error.
        message: what the error says, already capped.
        traceback: capped, or None.
        fatal: no retry is worth it.
        retry_after: seconds until the next try instead of the back-off, or None.
    """

    outcome: Outcome
    type: str
    message: str
    traceback: str | None = None
    fatal: bool = False
    retry_after: float | None = None


def is_due(task: Task, earliest: datetime) -> bool:
    """Return whether a waiting task may start.

    What was to start at once for the process that wrote it is due, because two clocks may differ by
    milliseconds. A time that was asked for has to have come, because the clock of the writer may
    have been ahead.

    Args:
        task: waits.
        earliest: the earliest time that it may be, aware UTC.
    """
    return task.run_at is None or task.run_at == task.updated_at or task.run_at <= earliest


def claim(task: Task, *, worker_id: UUID, now: datetime, earliest: datetime | None = None) -> Task:
    """Give a due task to a worker.

    Args:
        task: waits.
        worker_id: who gets it.
        now: the start that is stored, aware UTC.
        earliest: the earliest time that it may be, by which it is judged; None if that is `now`.

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
        StaleAttempt: somebody else holds the task, or nobody.
    """
    if (task.status, task.worker_id, task.attempt) != (Status.RUNNING, worker_id, attempt):
        raise StaleAttempt(f"attempt {attempt} of task {task.id} is no longer held by {worker_id}")


def succeed(task: Task, *, result: str, now: datetime) -> AttemptEnded:
    """End a running task well; a cancel that came too late changes nothing."""
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
    """Charge a failure: the next try after the back-off, or the end."""
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
    """Hand a running task back without charging anything: its worker stops, or has no room.

    Args:
        task: is running.
        now: aware UTC.
        ran: whether its handler was called; if not, it has not shown that it spares its worker.
    """
    _require_running(task)
    if task.cancel_requested_at is not None:
        return cancel_running(task, now=now)
    lost = 0 if ran else task.lost_count
    return _end(task, now, Outcome.RELEASED, _requeued(task, now, lost_count=lost))


def put_off(task: Task, failure: Failure, *, pause: float, now: datetime) -> AttemptEnded:
    """Hand a running task back, due later, without charging its failure.

    Args:
        task: is running, but its handler was not called.
        failure: why it could not be.
        pause: seconds until it is due again.
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
    """Take a running task back that its worker has lost; at `MAX_LOST` in a row it fails.

    Args:
        task: is running.
        now: aware UTC.
        why: what became of the attempt; None if the process that ran it is gone.
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
    """End a running task whose cancellation was asked for."""
    _require_running(task)
    return _end(task, now, Outcome.CANCELLED, _final(task, Status.CANCELLED, now))


def cancel(task: Task, *, now: datetime) -> Task:
    """Ask for the end of a task: at once while it waits, by a request while it runs.

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
    """Queue a failed or cancelled task again, as a person's decision: all retries are back.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person may change on a task; `given` names the fields that are meant."""

    given: frozenset[str]
    title: str = ""
    description: str | None = None
    priority: Priority = Priority.NORMAL
    max_retries: int = 0
    timeout_seconds: float = 0.0
    run_at: datetime | None = None


def edit(task: Task, changes: Edit, *, now: datetime) -> Task:
    """Change what the status still allows to change.

    Title and description: always. Priority, max_retries and timeout_seconds: until the task is
    final. run_at: while it waits.

    Raises:
        IllegalTransition: a field is past changing.
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


def check_deletable(task: Task) -> None:
    """Check that nobody works on the task.

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
    )
