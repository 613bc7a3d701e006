"""The hot path of workers: claims, ends of attempts, progress, and hooks still to run."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, bindparam, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud import counts
from taskq_server.crud.prepared import BulkInsert, IdListStatement, UnionStatement, is_one_of_ids
from taskq_server.crud.tables import (
    ATTEMPT_FIELDS,
    attempts,
    is_running,
    tasks,
    to_attempt,
    to_task,
    whole_attempt,
    whole_task,
)
from taskq_server.domain.counts import place
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Attempt, Outcome, Status, Task


def _of_attempt(column: str) -> ScalarSelect[Any]:
    return (
        select(attempts.c[column])
        .where(attempts.c.task_id == tasks.c.id, attempts.c.attempt == tasks.c.attempt)
        .scalar_subquery()
    )


def _update(
    *names: str, where: Sequence[ColumnElement[bool]] = (), **values: object
) -> IdListStatement:
    """Return an UPDATE of `names` to parameters of these names, and of `values`."""
    given = {name: bindparam(f"to_{name}", type_=tasks.c[name].type) for name in names}
    statement = update(tasks).where(is_one_of_ids(tasks.c.id), *where)
    return IdListStatement(statement.values({**given, "version": tasks.c.version + 1, **values}))


_CLAIMED = ("worker_id", "started_at", "updated_at")
_ENDED = ("status", "current_retry_count", "lost_count", "worker_id", "updated_at")
_claim = _update(*_CLAIMED, status=Status.RUNNING, attempt=tasks.c.attempt + 1, score=None)
_FINISHED = (*_ENDED, "finished_at")
_finish = _update(*_FINISHED, score=None)
_FENCE = ("worker_id", "attempt", "version")
_finish_unread = _update(
    *_FINISHED,
    where=[tasks.c[name] == bindparam(f"of_{name}", type_=tasks.c[name].type) for name in _FENCE],
    score=None,
)
_requeue = _update(
    *_ENDED,
    score=_of_attempt("next_score"),
    run_at=func.coalesce(_of_attempt("retry_at"), tasks.c.run_at),
)
_retry = _update(*_ENDED, score=_of_attempt("next_score"), run_at=_of_attempt("retry_at"))
_cancels_asked = IdListStatement(
    select(tasks.c.id).where(
        is_one_of_ids(tasks.c.id), is_running, tasks.c.cancel_requested_at.is_not(None)
    )
)
_of_one_handler = (
    select(attempts.c.finished_at, attempts.c.task_id, attempts.c.attempt)
    .where(
        attempts.c.handler == bindparam("of_handler"),
        attempts.c.hook_done_at.is_(None),
        attempts.c.finished_at < bindparam("before"),
    )
    .order_by(attempts.c.finished_at)
    .limit(bindparam("most"))
)
_pending = UnionStatement(select(_of_one_handler.subquery()))
_insert_attempts = BulkInsert(attempts, once=True)
_COLUMNS = (*ATTEMPT_FIELDS, "handler", "next_score", "hook_done_at")


async def mark_claimed(
    connection: AsyncConnection, waiting: Sequence[Task], *, worker_id: UUID, now: datetime
) -> None:
    """Write the claim of locked tasks, which are given as they waited, as the lifecycle decided."""
    ids = [task.id for task in waiting]
    await _claim(connection, ids, to_worker_id=worker_id, to_started_at=now, to_updated_at=now)
    await counts.move(
        connection, before=map(place, waiting), after=(place(t, Status.RUNNING) for t in waiting)
    )


async def cancels_asked(connection: AsyncConnection, ids: Collection[UUID]) -> list[UUID]:
    """Return which of these tasks run although their cancellation was asked for."""
    return [UUID(hex=row[0]) for row in await _cancels_asked(connection, ids)]


class StaleRow(Exception):
    """A task that was not read again is not as it was; the transaction has to be rolled back."""


async def mark_ended(
    connection: AsyncConnection,
    ends: Sequence[AttemptEnded],
    *,
    hook_done_at: Mapping[UUID, datetime | None],
    optimistic: Collection[UUID] = (),
) -> None:
    """Write the ends of attempts: one INSERT, and one UPDATE for each outcome.

    Args:
        connection: holds the locks of all tasks but the unread ones.
        ends: decided by the lifecycle.
        hook_done_at: by task; None while a hook still has to run for this transition.
        unread: tasks that become final, decided as they were claimed. Every change of a task moves
            its version: one of the same worker, attempt and version is the same.

    Raises:
        Changed: an unread task is not.
    """
    ordered = sorted(ends, key=lambda end: end.task.id)
    await _finish_as_claimed(connection, [end.task for end in ordered if end.task.id in optimistic])
    await _insert_attempts(
        connection,
        _COLUMNS,
        [
            (*end.attempt, end.task.handler, end.task.score, hook_done_at[end.task.id])
            for end in ordered
        ],
    )
    await _end(connection, [end.task for end in ordered if end.task.id not in optimistic])
    await counts.move(
        connection,
        before=(place(end.task, Status.RUNNING) for end in ends),
        after=(place(end.task) for end in ends),
    )


async def _finish_as_claimed(connection: AsyncConnection, after: Sequence[Task]) -> None:
    for (*values, attempt, version), ids in _alike(after, (*_FINISHED, *_FENCE[1:])).items():
        given = _given(_FINISHED, values)
        fence = {"of_worker_id": given["to_worker_id"], "of_attempt": attempt}
        met = await _finish_unread.count(connection, ids, **given, **fence, of_version=version - 1)
        if met != len(ids):
            raise StaleRow


async def _end(connection: AsyncConnection, after: Sequence[Task]) -> None:
    for values, ids in _alike(after, _FINISHED).items():
        await _end_statement(values[0])(connection, ids, **_given(_FINISHED, values))


def _alike(after: Sequence[Task], names: Sequence[str]) -> dict[tuple[Any, ...], list[UUID]]:
    """Group tasks by what is to be written to them, so that each group takes one statement."""
    groups: dict[tuple[Any, ...], list[UUID]] = defaultdict(list)
    for task in after:
        groups[tuple(getattr(task, name) for name in names)].append(task.id)
    return groups


def _given(names: Sequence[str], values: Sequence[object]) -> dict[str, object]:
    return {f"to_{name}": value for name, value in zip(names, values, strict=True)}


def _end_statement(status: Status) -> IdListStatement:
    if status.final:
        return _finish
    return _retry if status is Status.RETRYING else _requeue


async def set_progress(
    connection: AsyncConnection, progress: Mapping[UUID, str], now: datetime
) -> None:
    """Write the progress of locked running tasks."""
    if not progress:
        return
    ids = sorted(progress)
    value = case(*((tasks.c.id == task_id, progress[task_id]) for task_id in ids))
    await connection.execute(
        update(tasks)
        .where(tasks.c.id.in_(ids))
        .values(progress=value, updated_at=now, version=tasks.c.version + 1)
    )


async def pending_hooks(
    connection: AsyncConnection, *, before: datetime, handlers: Sequence[str], limit: int
) -> list[tuple[Attempt, Task]]:
    """Return attempts whose hook has not run although they ended before `before`."""
    ranges = [{"of_handler": one, "before": before, "most": limit} for one in sorted(handlers)]
    oldest = sorted(map(tuple, await _pending(connection, ranges)))[:limit]
    keys = [(UUID(hex=task_id), attempt) for _, task_id, attempt in oldest]
    if not keys:
        return []
    found = await connection.execute(select(*whole_attempt).where(_is_one_of(keys)))
    ended = [to_attempt(row) for row in found]
    rows = await connection.execute(
        select(*whole_task).where(tasks.c.id.in_([task_id for task_id, _ in keys]))
    )
    by_id = {task.id: task for task in map(to_task, rows)}
    return [(attempt, by_id[attempt.task_id]) for attempt in ended if attempt.task_id in by_id]


async def put_off(connection: AsyncConnection, task_id: UUID) -> int:
    """Return how often a task was handed back with an error since an attempt ended otherwise."""
    of_task = attempts.c.task_id == task_id
    released = attempts.c.outcome == Outcome.RELEASED
    last = select(func.max(attempts.c.attempt)).where(of_task, ~released).scalar_subquery()
    found = await connection.execute(
        select(func.count()).where(
            of_task,
            released,
            attempts.c.error_type.is_not(None),
            attempts.c.attempt > func.coalesce(last, 0),
        )
    )
    return found.scalar_one()


async def mark_hooks_done(
    connection: AsyncConnection, keys: Iterable[tuple[UUID, int]], now: datetime
) -> None:
    """Remember that the hooks of these transitions have run, or that nobody wants to run them."""
    await connection.execute(update(attempts).where(_is_one_of(keys)).values(hook_done_at=now))


def _is_one_of(keys: Iterable[tuple[UUID, int]]) -> ColumnElement[bool]:
    return or_(
        *(
            and_(attempts.c.task_id == task_id, attempts.c.attempt == attempt)
            for task_id, attempt in sorted(keys)
        )
    )
