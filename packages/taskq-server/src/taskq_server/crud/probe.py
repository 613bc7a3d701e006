"""A probe for whether the database takes writes."""

from sqlalchemy import delete, false
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import workers

_DELETE_NOTHING = delete(workers).where(false())


async def write_nothing(connection: AsyncConnection) -> None:
    """Run a write that matches no row, because a read-only server refuses every write.

    The statement reads no row, so it locks none, and writes nothing to a binary log.
    """
    await connection.execute(_DELETE_NOTHING)
