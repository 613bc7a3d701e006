"""Whether anybody still uses the handlers that workers have published."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.pairs import Named, is_one_of
from taskq_server.crud.tables import handlers, is_running, tasks
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.task import Priority


class Seen(NamedTuple):
    """A published handler, and when a live worker had it last, as far as that is written."""

    namespace: str
    name: str
    at: datetime

    def serves(self, namespace: str) -> bool:
        """Return whether tasks of a namespace may name it."""
        return self.namespace in (namespace, ALL_NAMESPACES)


async def see(
    connection: AsyncConnection,
    namespaces: Collection[str],
    names: Collection[str],
    *,
    now: datetime,
    unless_since: datetime,
) -> None:
    """Write that a live worker has some handlers, unless that was written lately.

    Args:
        connection: of a transaction.
        namespaces: for which the worker has published them.
        names: of the handlers.
        now: aware UTC.
        unless_since: what was written since then is left as it is.
    """
    is_old = or_(handlers.c.seen_at.is_(None), handlers.c.seen_at < unless_since)
    which = handlers.c.namespace.in_(sorted(namespaces)), handlers.c.name.in_(sorted(names))
    await connection.execute(update(handlers).where(*which, is_old).values(seen_at=now))


async def seen(connection: AsyncConnection, *, lock: bool = False) -> list[Seen]:
    """Return all published handlers by namespace and name.

    Args:
        connection: of a transaction.
        lock: whether to lock them until its end.
    """
    # Rows of older versions do not say when they were seen; they say when they were published.
    at = func.coalesce(handlers.c.seen_at, handlers.c.updated_at, type_=handlers.c.seen_at.type)
    every = select(handlers.c.namespace, handlers.c.name, at).order_by(
        handlers.c.namespace, handlers.c.name
    )
    return [
        Seen(*row) for row in await connection.execute(every.with_for_update() if lock else every)
    ]


async def running(connection: AsyncConnection) -> set[Named]:
    """Return the namespaces and handlers of all tasks that run, or whose worker has vanished."""
    rows = await connection.execute(
        select(tasks.c.namespace, tasks.c.handler).where(is_running).distinct()
    )
    return {(namespace, name) for namespace, name in rows}


async def has_waiting(
    connection: AsyncConnection, namespace: str, queues: Sequence[str], handler: str
) -> bool:
    """Return whether a waiting task of some queues of a namespace names a handler.

    It is one look into an index for each queue and priority.
    """
    found = await connection.execute(
        select(tasks.c.id)
        .where(
            tasks.c.namespace == namespace,
            tasks.c.queue.in_(queues),
            tasks.c.handler == handler,
            tasks.c.priority.in_(list(Priority)),
            tasks.c.score.is_not(None),
        )
        .limit(1)
    )
    return found.first() is not None


async def forget(connection: AsyncConnection, which: Iterable[Named]) -> None:
    """Delete published handlers."""
    gone = is_one_of(handlers.c.namespace, handlers.c.name, sorted(which))
    await connection.execute(delete(handlers).where(gone))
