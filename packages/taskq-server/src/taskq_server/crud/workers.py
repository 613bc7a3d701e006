"""Workers and their leases."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Update, case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import is_running, tasks, workers
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.worker import WorkerRow, served_in

Moment = datetime | ColumnElement[Any]
"""A time, aware UTC, or what the database takes for one."""

_NOTHING = "[]"


async def register(connection: AsyncConnection, worker: WorkerRow) -> None:
    """Insert a worker with its first lease."""
    values = {name: getattr(worker, name) for name in WorkerRow.__dataclass_fields__}
    await connection.execute(insert(workers).values(values))


async def renew(
    connection: AsyncConnection, worker_id: UUID, *, now: Moment, lease_until: Moment
) -> bool:
    """Renew a lease; return False if it was marked as lost, or the worker is unknown."""
    result = await connection.execute(
        update(workers)
        .where(workers.c.id == worker_id, workers.c.ended_at.is_(None))
        .values(beats=workers.c.beats + 1, heartbeat_at=now, lease_until=lease_until)
    )
    return result.rowcount == 1


async def set_handlers(
    connection: AsyncConnection, worker_id: UUID, handlers: str, declarations: str | None = None
) -> None:
    """Write the handlers of a worker, and the schedules that they declare: JSON objects by name."""
    await connection.execute(
        update(workers)
        .where(workers.c.id == worker_id)
        .values(handlers=handlers, declarations=declarations)
    )


async def unregister(
    connection: AsyncConnection, worker_id: UUID, *, lease_until: datetime
) -> None:
    """End the lease of a stopped worker; its row stays, because attempts name it.

    What it could run is of no use any more, and may be long.
    """
    await connection.execute(_end(lease_until).where(workers.c.id == worker_id))


async def beats(connection: AsyncConnection) -> dict[UUID, int]:
    """Return the workers whose leases nobody has ended, with their counters."""
    rows = await connection.execute(
        select(workers.c.id, workers.c.beats).where(workers.c.ended_at.is_(None))
    )
    return {row.id: row.beats for row in rows}


async def mark_lost(
    connection: AsyncConnection, seen: Mapping[UUID, int], *, lease_until: datetime
) -> None:
    """End the leases of workers whose counters are still as they were seen."""
    for worker_id in sorted(seen):
        is_as_seen = workers.c.id == worker_id, workers.c.beats == seen[worker_id]
        await connection.execute(_end(lease_until).where(*is_as_seen, workers.c.ended_at.is_(None)))


def _end(at: datetime) -> Update:
    until = case((workers.c.lease_until < at, workers.c.lease_until), else_=at)
    return update(workers).values(
        lease_until=until, ended_at=at, handlers=_NOTHING, declarations=None
    )


async def handlers_of_live(
    connection: AsyncConnection, now: datetime, namespaces: Collection[str]
) -> dict[str, list[str]]:
    """Return for each namespace the handlers of its live workers: JSON lists or objects."""
    return await _of_live(connection, workers.c.handlers, now, namespaces)


async def queues_of_live(
    connection: AsyncConnection, now: datetime, namespaces: Collection[str]
) -> dict[str, list[str]]:
    """Return for each namespace the JSON lists of queues of its live workers."""
    return await _of_live(connection, workers.c.queues, now, namespaces)


async def _of_live(
    connection: AsyncConnection, column: Column[str], now: datetime, namespaces: Collection[str]
) -> dict[str, list[str]]:
    """Return a column of the workers with a valid lease, for each namespace that they serve.

    A worker of `*` serves each of them, as does one of an older version. The namespaces of a worker
    are in one text, and live workers are few, so all of them are read.
    """
    rows = await connection.execute(
        select(column, workers.c.namespaces).where(workers.c.lease_until >= now)
    )
    found: dict[str, list[str]] = {namespace: [] for namespace in namespaces}
    for value, text in rows:
        served = served_in(text)
        for namespace in found if ALL_NAMESPACES in served else found.keys() & served:
            found[namespace].append(value)
    return found


async def latest(connection: AsyncConnection, *, limit: int) -> list[tuple[str, datetime]]:
    """Return the queues, a JSON list, and the lease's end of the workers that lived last."""
    by_lease = select(workers.c.queues, workers.c.lease_until).order_by(
        workers.c.lease_until.desc()
    )
    rows = await connection.execute(by_lease.limit(limit))
    return [(queues, lease_until) for queues, lease_until in rows]


async def orphans(
    connection: AsyncConnection, live: Iterable[UUID], *, namespaces: Collection[str], limit: int
) -> list[UUID]:
    """Return running tasks of some namespaces whose worker is not one of `live`.

    `*` among the namespaces stands for all.

    The cost is that of the running tasks without a live worker, in all namespaces.
    """
    lost = select(tasks.c.id).where(is_running, tasks.c.worker_id.not_in(sorted(live)))
    if ALL_NAMESPACES not in namespaces:
        lost = lost.where(tasks.c.namespace.in_(sorted(namespaces)))
    return list((await connection.execute(lost.limit(limit))).scalars())


async def live_ids(connection: AsyncConnection, now: datetime) -> set[UUID]:
    """Return the workers with a valid lease, for readers."""
    rows = await connection.execute(select(workers.c.id).where(workers.c.lease_until >= now))
    return set(rows.scalars())
