"""The rows of queues: which are paused."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.pairs import is_one_of
from taskq_server.crud.prepared import BulkInsert
from taskq_server.crud.tables import namespaces, queues, tasks
from taskq_server.domain.task import Queue

_of = queues.c
_is_paused = _of.paused_at.is_not(None)
_make = BulkInsert(queues, once=True)


class QueueRow(NamedTuple):
    """The row of a queue; `paused_at` is None where it is not paused."""

    name: str
    paused_at: datetime | None
    note: str | None


async def lock(connection: AsyncConnection, queue: Queue) -> QueueRow:
    """Lock the row of a queue until the end of the transaction, and return it; make it if needed.

    This waits for the claims of its tasks that are under way, and those that come after it wait for
    the end of the transaction. While the row is made, that goes for all queues of the namespace
    that have no row.
    """
    whole = select(_of.name, _of.paused_at, _of.note).where(*_is(queue)).with_for_update()
    if found := (await connection.execute(whole)).first():
        return QueueRow._make(found)
    of_namespace = select(namespaces.c.name).where(namespaces.c.name == queue.namespace)
    await connection.execute(of_namespace.with_for_update())
    await _make(connection, ("namespace", "name"), [queue])
    return QueueRow._make((await connection.execute(whole)).one())


async def rows(connection: AsyncConnection, namespace: str) -> list[QueueRow]:
    """Return the rows of a namespace, by name."""
    found = await connection.execute(
        select(_of.name, _of.paused_at, _of.note)
        .where(_of.namespace == namespace)
        .order_by(_of.name)
    )
    return [QueueRow._make(row) for row in found]


async def paused(connection: AsyncConnection, names: Collection[str]) -> set[Queue]:
    """Return the queues of some names that are paused, in any namespace."""
    found = await connection.execute(
        select(_of.namespace, _of.name).where(_is_paused, _of.name.in_(sorted(names)))
    )
    return {Queue(namespace, name) for namespace, name in found}


async def all_paused(connection: AsyncConnection) -> set[Queue]:
    """Return all queues that are paused."""
    found = await connection.execute(select(_of.namespace, _of.name).where(_is_paused))
    return {Queue(namespace, name) for namespace, name in found}


async def count_paused(connection: AsyncConnection, namespace: str) -> int:
    """Return how many queues of a namespace are paused."""
    found = await connection.execute(
        select(func.count()).select_from(queues).where(_of.namespace == namespace, _is_paused)
    )
    return found.scalar_one()


async def write(
    connection: AsyncConnection, queue: Queue, paused_at: datetime | None, note: str | None
) -> None:
    """Write whether a queue is paused, if it has a row."""
    await connection.execute(
        update(queues).where(*_is(queue)).values(paused_at=paused_at, note=note)
    )


async def unused(connection: AsyncConnection, *, limit: int) -> list[Queue]:
    """Return queues that are not paused and have no tasks."""
    going_on = select(_of.namespace, _of.name).where(_of.paused_at.is_(None))
    found = await connection.execute(going_on.where(_without_tasks()).limit(limit))
    return [Queue(namespace, name) for namespace, name in found]


async def forget(connection: AsyncConnection, gone: Collection[Queue]) -> None:
    """Delete the rows of some queues, unless they are paused by now."""
    await connection.execute(
        delete(queues).where(is_one_of(_of.namespace, _of.name, gone), _of.paused_at.is_(None))
    )


def _is(queue: Queue) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _of.namespace == queue.namespace, _of.name == queue.name


def _without_tasks() -> ColumnElement[bool]:
    # A scalar subquery: a database may answer EXISTS by reading all tasks at once.
    one = select(tasks.c.id).where(tasks.c.namespace == _of.namespace, tasks.c.queue == _of.name)
    return one.limit(1).correlate(queues).scalar_subquery().is_(None)
