"""The schedules that handlers declare: which were published, and which live workers publish."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.pairs import Named, is_one_of
from taskq_server.crud.prepared import BulkInsert
from taskq_server.crud.tables import declarations, workers
from taskq_server.domain.declarations import NOTHING, Known

_of = declarations.c
_insert = BulkInsert(declarations, once=True)
_COLUMNS = ("namespace", "handler", "digest", "first_published_at", "timing")
_known = select(*(_of[name] for name in _COLUMNS)).order_by(_of.namespace, _of.handler, _of.digest)


class LiveRow(NamedTuple):
    """A live worker that says which schedules its handlers declare; JSON, as in its row."""

    id: UUID
    namespaces: str | None
    declarations: str


class Left(NamedTuple):
    """What the schedule of a handler had that declares none now."""

    paused_at: datetime | None = None
    note: str | None = None
    last_task_id: UUID | None = None


async def known(
    connection: AsyncConnection, handlers: Collection[str], namespaces: Collection[str] | None
) -> list[Known]:
    """Return all that is known of some handlers, in some namespaces; None asks about all."""
    asked = _known.where(_of.handler.in_(sorted(handlers)))
    if namespaces is not None:
        asked = asked.where(_of.namespace.in_(sorted(namespaces)))
    return [Known(*row) for row in await connection.execute(asked)]


async def of_pairs(
    connection: AsyncConnection, pairs: Collection[Named], *, lock: bool = False
) -> list[Known]:
    """Return all that is known of some handlers, each in one namespace.

    Args:
        connection: any; of a transaction to lock.
        pairs: at least one namespace and handler.
        lock: whether to lock it until the end of the transaction, so that one at a time judges.
    """
    asked = _known.where(is_one_of(_of.namespace, _of.handler, sorted(pairs)))
    if lock:
        asked = asked.with_for_update()
    return [Known(*row) for row in await connection.execute(asked)]


async def declaring(connection: AsyncConnection) -> set[Named]:
    """Return the namespaces and handlers for which a schedule was ever declared."""
    # Not unequal, because SQLite would read the whole table.
    rows = await connection.execute(
        select(_of.namespace, _of.handler).where(_of.digest < NOTHING).distinct()
    )
    return {(namespace, handler) for namespace, handler in rows}


async def insert(connection: AsyncConnection, news: Sequence[Known]) -> None:
    """Store declarations that are published for the first time, unless somebody has."""
    await _insert(connection, _COLUMNS, news)


async def live(connection: AsyncConnection, now: datetime) -> list[LiveRow]:
    """Return the live workers that say what their handlers declare."""
    says = workers.c.declarations.is_not(None)
    rows = await connection.execute(
        select(workers.c.id, workers.c.namespaces, workers.c.declarations).where(
            workers.c.lease_until >= now, says
        )
    )
    return [LiveRow(*row) for row in rows]


async def handlers_of(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the handlers of some workers: JSON, as in their rows."""
    if not ids:
        return {}
    rows = await connection.execute(
        select(workers.c.id, workers.c.handlers).where(workers.c.id.in_(sorted(ids)))
    )
    return {worker_id: text for worker_id, text in rows}


async def leave(connection: AsyncConnection, which: Named, left: Left) -> None:
    """Store what the schedule of a handler had, which declares none any more."""
    await connection.execute(update(declarations).where(*_is_nothing(which)).values(left._asdict()))


async def take_left(connection: AsyncConnection, which: Named) -> Left:
    """Return what the schedule of a handler had before it declared none, and forget it."""
    row = await connection.execute(
        select(_of.paused_at, _of.note, _of.last_task_id).where(*_is_nothing(which))
    )
    found = Left(*(row.first() or ()))
    if found != Left():
        await leave(connection, which, Left())
    return found


async def forget(connection: AsyncConnection, which: Iterable[Named]) -> None:
    """Delete all that is known of some handlers."""
    gone = is_one_of(_of.namespace, _of.handler, sorted(which))
    await connection.execute(delete(declarations).where(gone))


def _is_nothing(which: Named) -> tuple[ColumnElement[bool], ...]:
    namespace, handler = which
    return _of.namespace == namespace, _of.handler == handler, _of.digest == NOTHING
