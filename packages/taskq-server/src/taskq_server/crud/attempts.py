"""The hot path of workers: claims, ends of attempts, progress, and hooks still to run."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, bindparam, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.crud.ranges import lowest
from taskq_server.crud.tables import (
    ATTEMPT_FIELDS,
    IDS,
    attempts,
    tasks,
    to_attempt,
    to_task,
    whole_attempt,
    whole_task,
)
from taskq_server.domain.lifecycle import Ended
from taskq_server.domain.task import Attempt, Status, Task

_version = tasks.c.version + 1

_claim = (
    update(tasks)
    .where(tasks.c.id.in_(IDS))
    .values(
        status=Status.RUNNING,
        attempt=tasks.c.attempt + 1,
        worker_id=bindparam("by_worker"),
        score=None,
        started_at=bindparam("moment"),
        updated_at=bindparam("moment"),
        version=_version,
    )
)


async def mark_claimed(
    connection: AsyncConnection, ids: Sequence[UUID], *, worker_id: UUID, now: datetime
) -> None:
    """Write the claim of locked tasks, as `lifecycle.claim` decided it."""
    await connection.execute(_claim, {"ids": sorted(ids), "by_worker": worker_id, "moment": now})


async def mark_ended(
    database: Database,
    connection: AsyncConnection,
    ends: Sequence[Ended],
    *,
    hook_done_at: Mapping[UUID, datetime | None],
) -> None:
    """Write the ends of attempts of locked tasks: one INSERT, and one UPDATE for each outcome.

    Args:
        database: knows the dialect.
        connection: holds the locks.
        ends: decided by the lifecycle.
        hook_done_at: by task; None while a hook still has to run for this transition.
    """
    await connection.execute(
        database.insert_once(attempts),
        [
            {name: getattr(end.attempt, name) for name in ATTEMPT_FIELDS}
            | {
                "handler": end.task.handler,
                "next_score": end.task.score,
                "hook_done_at": hook_done_at[end.task.id],
            }
            for end in sorted(ends, key=lambda end: end.task.id)
        ],
    )
    groups: dict[tuple[object, ...], list[Task]] = defaultdict(list)
    for end in ends:
        task = end.task
        groups[
            task.status, task.current_retry_count, task.lost_count, task.worker_id, task.updated_at
        ].append(task)
    for group in groups.values():
        await _write_group(connection, group)


async def _write_group(connection: AsyncConnection, group: Sequence[Task]) -> None:
    first = group[0]
    values: dict[str, object] = {
        "status": first.status,
        "current_retry_count": first.current_retry_count,
        "lost_count": first.lost_count,
        "worker_id": first.worker_id,
        "updated_at": first.updated_at,
        "version": _version,
    }
    if first.status.final:
        values |= {"finished_at": first.finished_at, "score": None}
    else:
        values["score"] = _of_attempt("next_score")
    if first.status is Status.RETRYING:
        values["run_at"] = _of_attempt("retry_at")
    await connection.execute(
        update(tasks).where(tasks.c.id.in_(IDS)).values(values),
        {"ids": sorted(task.id for task in group)},
    )


def _of_attempt(column: str) -> object:
    return (
        select(attempts.c[column])
        .where(attempts.c.task_id == tasks.c.id, attempts.c.attempt == tasks.c.attempt)
        .scalar_subquery()
    )


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
        .values(progress=value, updated_at=now, version=_version)
    )


async def pending_hooks(
    connection: AsyncConnection, *, before: datetime, handlers: Sequence[str], limit: int
) -> list[tuple[Attempt, Task]]:
    """Return attempts whose hook has not run although they ended before `before`."""
    ranges = [
        select(attempts.c.task_id, attempts.c.attempt, attempts.c.finished_at).where(
            attempts.c.handler == handler,
            attempts.c.hook_done_at.is_(None),
            attempts.c.finished_at < before,
        )
        for handler in sorted(handlers)
    ]
    found = await lowest(connection, ranges, "finished_at", limit)
    keys = [(row.task_id, row.attempt) for row in found]
    if not keys:
        return []
    of_keys = or_(
        *(and_(attempts.c.task_id == task_id, attempts.c.attempt == n) for task_id, n in keys)
    )
    ended = [
        to_attempt(row) for row in await connection.execute(select(*whole_attempt).where(of_keys))
    ]
    rows = await connection.execute(
        select(*whole_task).where(tasks.c.id.in_([task_id for task_id, _ in keys]))
    )
    by_id = {task.id: task for task in map(to_task, rows)}
    return [(attempt, by_id[attempt.task_id]) for attempt in ended if attempt.task_id in by_id]


async def mark_hook_done(connection: AsyncConnection, attempt: Attempt, now: datetime) -> None:
    """Remember that the hook of this transition has run."""
    await connection.execute(
        update(attempts)
        .where(attempts.c.task_id == attempt.task_id, attempts.c.attempt == attempt.attempt)
        .values(hook_done_at=now)
    )
