"""Delete final tasks with all that belongs to them, children first, at little cost.

Ids are in the order of creation, so tasks that may go lie side by side. A list of ids makes the
database look each of them up in each table; that is two thirds of what their removal costs. So a
range of ids is deleted as a range, if hardly any other tasks lie in it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects import along_index
from taskq_server.crud import counts, tags
from taskq_server.crud.tables import (
    attempts,
    schedule_fires,
    task_keeps,
    task_tags,
    task_unique_keys,
    tasks,
)
from taskq_server.domain.ids import Mark, is_marked
from taskq_server.domain.retention import Kept

_columns = [tasks.c[name] for name in Kept._fields]


class RangeChanged(Exception):
    """A task has come into a range of ids meanwhile; the transaction has to be rolled back."""


@dataclass(frozen=True, slots=True)
class Some:
    """Tasks: a range of ids without those that are spared, or just some ids.

    Attributes:
        ids: in ascending order, not empty.
        is_range: whether the tasks are all those from the first id to the last one.
        spared: those of them that stay.
    """

    ids: Sequence[UUID]
    is_range: bool
    spared: frozenset[UUID] = frozenset()

    def has(self, column: ColumnElement[UUID]) -> ColumnElement[bool]:
        """Return the condition that an id is one of these."""
        if not self.is_range:
            return column.in_([one for one in self.ids if one not in self.spared])
        within = column.between(self.ids[0], self.ids[-1])
        return and_(within, column.not_in(sorted(self.spared))) if self.spared else within

    def without(self, spared: Collection[UUID]) -> Self:
        """Return the same tasks without some that stay.

        Raises:
            RangeChanged: most of a range would stay.
        """
        if self.is_range and len(spared) > len(self.ids):
            raise RangeChanged
        return replace(self, spared=frozenset(spared))


async def tasks_between(connection: AsyncConnection, first: UUID, last: UUID, *, limit: int) -> int:
    """Return how many tasks lie in a range of ids, at most `limit`."""
    ids = select(tasks.c.id).where(tasks.c.id.between(first, last)).limit(limit)
    some = along_index(ids, tasks, None).subquery()
    return (await connection.execute(select(func.count()).select_from(some))).scalar_one()


async def lock(connection: AsyncConnection, some: Some) -> list[Kept]:
    """Lock tasks until the end of the transaction and return them."""
    wanted = select(*_columns).where(some.has(tasks.c.id)).order_by(tasks.c.id).with_for_update()
    return [Kept._make(row) for row in await connection.execute(wanted)]


async def own_keeps(connection: AsyncConnection, some: Some) -> dict[UUID, timedelta]:
    """Return for how long those of some tasks are kept that say so."""
    found = select(task_keeps.c.task_id, task_keeps.c.keep_seconds)
    rows = await connection.execute(found.where(some.has(task_keeps.c.task_id)))
    return {task_id: timedelta(seconds=kept) for task_id, kept in rows}


async def remove(
    connection: AsyncConnection,
    some: Some,
    gone: Sequence[Kept],
    now: datetime,
    *,
    any_keep: bool,
) -> None:
    """Delete locked tasks with all that belongs to them.

    They hold no unique keys, because they have ended.

    Args:
        connection: of the transaction that has locked them.
        some: these tasks.
        gone: the same tasks, all of them final.
        now: aware UTC.
        any_keep: whether any of them says for how long it is kept.

    Raises:
        RangeChanged: there are others in the range by now.
    """
    await tags.mark_idle_where(connection, some.has(task_tags.c.task_id), now)
    few = [task_keeps] if any_keep else []
    for mark, table in ((Mark.SCHEDULED, schedule_fires), (Mark.UNIQUE, task_unique_keys)):
        if any(is_marked(one.id, mark) for one in gone):
            few.append(table)
    for table in (task_tags, attempts, *few):
        await connection.execute(delete(table).where(some.has(table.c.task_id)))
    deleted = await connection.execute(delete(tasks).where(some.has(tasks.c.id)))
    if deleted.rowcount != len(gone):
        raise RangeChanged
    await counts.move(connection, before=((one.namespace, one.queue, one.status) for one in gone))
