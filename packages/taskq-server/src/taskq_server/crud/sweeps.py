"""The rows of the janitor's sweeps: taken, renewed, given back."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core import dialects
from taskq_server.crud.tables import sweeps, workers
from taskq_server.domain.sweeps import Share

with_holders = sweeps.outerjoin(workers, workers.c.id == sweeps.c.holder)
SHARE = (sweeps.c.kind, sweeps.c.holder, sweeps.c.beats, workers.c.beats.label("holder_beats"))
"""The columns of a share, of `with_holders`."""


async def all_shares(connection: AsyncConnection) -> list[Share]:
    """Return the rows of all kinds."""
    rows = await connection.execute(select(*SHARE).select_from(with_holders))
    return [Share(*row) for row in rows]


async def take(
    connection: AsyncConnection, kind: str, holder: UUID, *, seen: int | None, now: datetime
) -> bool:
    """Take a kind, unless its counter has moved; return whether it was taken.

    Args:
        connection: of a transaction.
        kind: of the sweep.
        holder: who takes it.
        seen: the counter that was seen; None if there was no row.
        now: for readers, aware UTC.
    """
    values = {"holder": holder, "beat_at": now}
    if seen is None:
        new = dialects.of(connection).insert_once(sweeps).values(kind=kind, beats=1, **values)
        await connection.execute(new)
        mine = select(sweeps.c.kind).where(sweeps.c.kind == kind, sweeps.c.holder == holder)
        return (await connection.execute(mine)).first() is not None
    which = update(sweeps).where(sweeps.c.kind == kind, sweeps.c.beats == seen)
    return (await connection.execute(which.values(beats=seen + 1, **values))).rowcount == 1


async def renew(
    connection: AsyncConnection, kinds: Collection[str], holder: UUID, now: datetime
) -> int:
    """Renew kinds, and return how many of them the holder still has."""
    which = update(sweeps).where(sweeps.c.kind.in_(sorted(kinds)), sweeps.c.holder == holder)
    renewed = await connection.execute(which.values(beats=sweeps.c.beats + 1, beat_at=now))
    return renewed.rowcount


async def release(connection: AsyncConnection, holder: UUID) -> None:
    """Give all back that a worker holds, so that others need not wait."""
    of_holder = update(sweeps).where(sweeps.c.holder == holder)
    await connection.execute(of_holder.values(holder=None, beats=sweeps.c.beats + 1))


async def forget(connection: AsyncConnection, *, before: datetime) -> None:
    """Delete the rows of kinds that nobody has taken care of since `before`."""
    await connection.execute(delete(sweeps).where(sweeps.c.beat_at < before))
