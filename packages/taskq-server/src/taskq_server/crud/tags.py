"""Tags by name."""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.crud.tables import tags, task_tags


async def find(connection: AsyncConnection, namespace: str, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of the tags that exist, by name."""
    rows = await connection.execute(
        select(tags.c.name, tags.c.id).where(
            tags.c.namespace == namespace, tags.c.name.in_(sorted(set(names)))
        )
    )
    return {row.name: row.id for row in rows}


async def add(
    database: Database, connection: AsyncConnection, namespace: str, names: Iterable[str]
) -> None:
    """Insert the tags that are missing."""
    await connection.execute(
        database.insert_once(tags),
        [{"namespace": namespace, "name": name} for name in sorted(set(names))],
    )


async def counts(connection: AsyncConnection, namespace: str) -> Sequence[tuple[str, int]]:
    """Return every tag in use with its number of tasks, by name."""
    rows = await connection.execute(
        select(tags.c.name, func.count().label("tasks"))
        .join(task_tags, task_tags.c.tag_id == tags.c.id)
        .where(tags.c.namespace == namespace)
        .group_by(tags.c.name)
        .order_by(tags.c.name)
    )
    return [(row.name, row.tasks) for row in rows]
