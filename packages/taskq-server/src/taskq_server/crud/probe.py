"""Whether the database takes writes."""

from sqlalchemy import delete, false
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import workers

_DELETE_NOTHING = delete(workers).where(false())


async def write_nothing(connection: AsyncConnection) -> None:
    """Run a write that meets no row: a server that is read-only refuses it.

    It looks at no row, so that it locks none, and leaves nothing in a binary log.
    """
    await connection.execute(_DELETE_NOTHING)
