"""Failure hooks that still have to run for ended attempts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
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
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.task import Attempt, Task

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
# A subquery and no join, so that the order of the index of attempts is followed in any case.
_namespace = select(tasks.c.namespace).where(tasks.c.id == attempts.c.task_id).scalar_subquery()
_of_one_namespace = _of_one_handler.where(_namespace == bindparam("of_namespace"))
_pending = UnionStatement(select(_of_one_handler.subquery()), tuple)
_pending_in = UnionStatement(select(_of_one_namespace.subquery()), tuple)


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
        namespaces: the namespaces of their tasks; `*` among them stands for all.
        before: aware UTC.
        handlers: the handlers of the attempts.
        limit: most attempts to return, those that ended first.
    """
    oldest = sorted(await _oldest(connection, namespaces, before, handlers, limit))[:limit]
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


async def _oldest(
    connection: AsyncConnection,
    namespaces: Sequence[str],
    before: datetime,
    handlers: Sequence[str],
    limit: int,
) -> list[tuple[Any, ...]]:
    of_all = [{"of_handler": one, "before": before, "most": limit} for one in sorted(handlers)]
    if ALL_NAMESPACES in namespaces:
        return await _pending(connection, of_all)
    # Mostly nobody has any, which is found without looking into each namespace.
    first = [{**each, "most": 1} for each in of_all]
    if len(namespaces) > 1 and not await _pending(connection, first):
        return []
    ranges = [{**each, "of_namespace": one} for one in sorted(namespaces) for each in of_all]
    return await _pending_in(connection, ranges)


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
