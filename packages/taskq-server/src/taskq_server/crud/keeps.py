"""The tasks that say themselves for how long they are kept; most tasks do not, and have no row."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import case, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.prepared import BulkInsert
from taskq_server.crud.tables import IDS, task_keeps, tasks

_insert = BulkInsert(task_keeps, once=True)
_TIMES = 4
_COLUMNS = ("task_id", "keep_seconds", "look_at")

_due = select(task_keeps.c.task_id).order_by(task_keeps.c.look_at)
_first_look = select(func.min(task_keeps.c.look_at))
_looks = (
    select(task_keeps.c.task_id, task_keeps.c.keep_seconds, tasks.c.created_at, tasks.c.finished_at)
    .outerjoin(tasks, tasks.c.id == task_keeps.c.task_id)
    .where(task_keeps.c.task_id.in_(IDS))
    .order_by(task_keeps.c.task_id)
)

Row = tuple[UUID, float, datetime]
"""A task's id, for how many seconds it is kept, and when to look at it first."""


class Look(NamedTuple):
    """A task that was due for a look; its times are None if it is gone."""

    task_id: UUID
    keep: timedelta
    created_at: datetime | None
    finished_at: datetime | None


async def insert(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Store for how many seconds tasks are kept, and when to look first; without rows, nothing."""
    await _insert(connection, _COLUMNS, rows)


async def longest_due(connection: AsyncConnection) -> datetime | None:
    """Return from when on the task may be looked at that is due for longest; None without any."""
    found: datetime | None = (await connection.execute(_first_look)).scalar_one()
    return found


async def among(connection: AsyncConnection, ids: Collection[UUID]) -> set[UUID]:
    """Return those of some tasks that say for how long they are kept.

    None is returned if very many tasks that were made meanwhile say so, because all of them are
    read.
    """
    if not ids:
        return set()
    limit = _TIMES * len(ids)
    within = task_keeps.c.task_id.between(min(ids), max(ids))
    rows = await connection.execute(select(task_keeps.c.task_id).where(within).limit(limit))
    found = set(rows.scalars())
    return found.intersection(ids) if len(found) < limit else set()


async def due(connection: AsyncConnection, *, now: datetime, limit: int) -> list[UUID]:
    """Return the tasks to look at now, those that have been due for longest first."""
    rows = await connection.execute(_due.where(task_keeps.c.look_at <= now).limit(limit))
    return list(rows.scalars())


async def looks(connection: AsyncConnection, ids: Sequence[UUID]) -> list[Look]:
    """Return what is known of tasks that say for how long they are kept."""
    rows = await connection.execute(_looks, {"ids": sorted(ids)})
    return [Look(one, timedelta(seconds=kept), *times) for one, kept, *times in rows]


async def look_later(connection: AsyncConnection, later: Mapping[UUID, datetime]) -> None:
    """Say when to look again at some tasks."""
    if later:
        ids = sorted(later)
        kind = task_keeps.c.look_at.type
        value = case(*((task_keeps.c.task_id == one, literal(later[one], kind)) for one in ids))
        which = task_keeps.c.task_id.in_(ids)
        await connection.execute(update(task_keeps).where(which).values(look_at=value))


async def forget(connection: AsyncConnection, ids: Sequence[UUID]) -> None:
    """Delete the rows of some tasks."""
    if ids:
        await connection.execute(
            delete(task_keeps).where(task_keeps.c.task_id.in_(IDS)), {"ids": sorted(ids)}
        )
