"""Failure hooks that still have to run for ended attempts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.prepared import UnionStatement
from taskq_server.crud.tables import (
    attempts,
    tasks,
    to_attempt,
    to_task,
    whole_attempt,
    whole_task,
)
from taskq_server.domain.task import Attempt, Task

# A subquery and no join, so that the order of the index of attempts is followed in any case.
_namespace = select(tasks.c.namespace).where(tasks.c.id == attempts.c.task_id).scalar_subquery()
_of_one_handler = (
    select(attempts.c.finished_at, attempts.c.task_id, attempts.c.attempt)
    .where(
        attempts.c.handler == bindparam("of_handler"),
        attempts.c.hook_done_at.is_(None),
        attempts.c.finished_at < bindparam("before"),
        _namespace == bindparam("of_namespace"),
    )
    .order_by(attempts.c.finished_at)
    .limit(bindparam("most"))
)
_pending = UnionStatement(select(_of_one_handler.subquery()), tuple)


async def pending_hooks(
    connection: AsyncConnection,
    *,
    namespaces: Sequence[str],
    before: datetime,
    handlers: Sequence[str],
    limit: int,
) -> list[tuple[Attempt, Task]]:
    """Return attempts whose hook has not run although they ended before `before`.

    Args:
        connection: any.
        namespaces: the namespaces of their tasks.
        before: aware UTC.
        handlers: the handlers of the attempts.
        limit: most attempts to return, those that ended first.
    """
    ranges = [
        {"of_namespace": namespace, "of_handler": one, "before": before, "most": limit}
        for namespace in sorted(namespaces)
        for one in sorted(handlers)
    ]
    oldest = sorted(await _pending(connection, ranges))[:limit]
    keys = [(task_id, attempt) for _, task_id, attempt in oldest]
    if not keys:
        return []
    found = await connection.execute(select(*whole_attempt).where(_is_one_of(keys)))
    ended = [to_attempt(row) for row in found]
    rows = await connection.execute(
        select(*whole_task).where(tasks.c.id.in_([task_id for task_id, _ in keys]))
    )
    by_id = {task.id: task for task in map(to_task, rows)}
    return [(attempt, by_id[attempt.task_id]) for attempt in ended if attempt.task_id in by_id]


async def mark_hooks_done(
    connection: AsyncConnection, keys: Iterable[tuple[UUID, int]], now: datetime
) -> None:
    """Store that the hooks of these transitions have run, or need not run."""
    await connection.execute(update(attempts).where(_is_one_of(keys)).values(hook_done_at=now))


def _is_one_of(keys: Iterable[tuple[UUID, int]]) -> ColumnElement[bool]:
    return or_(
        *(
            and_(attempts.c.task_id == task_id, attempts.c.attempt == attempt)
            for task_id, attempt in sorted(keys)
        )
    )
