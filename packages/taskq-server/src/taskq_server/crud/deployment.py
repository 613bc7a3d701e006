"""The id of the taskq deployment that this database belongs to."""

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.crud.tables import deployment

_ONLY = 1
_id = select(deployment.c.id).where(deployment.c.number == _ONLY)


async def read(connection: AsyncConnection) -> str | None:
    """Return the id; None if the schema has no such table yet, or the row is gone."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(deployment.name)):
        return None
    return (await connection.execute(_id)).scalar_one_or_none()


async def replace(database: Database, connection: AsyncConnection, new: str) -> None:
    """Store a new id, whether or not an id exists."""
    statement = database.dialect.upsert(deployment, update=["id"])
    await connection.execute(statement.values(number=_ONLY, id=new))
