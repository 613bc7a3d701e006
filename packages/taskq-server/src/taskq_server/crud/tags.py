"""Tags by name."""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.prepared import InsertRows
from taskq_server.crud.tables import tags, task_tags

_insert_once = InsertRows(tags, once=True)


async def find(connection: AsyncConnection, namespace: str, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of the tags that exist, by name."""
    rows = await connection.execute(
        select(tags.c.name, tags.c.id).where(
            tags.c.namespace == namespace, tags.c.name.in_(sorted(set(names)))
        )
    )
    return {row.name: row.id for row in rows}


async def add(connection: AsyncConnection, namespace: str, names: Iterable[str]) -> None:
    """Insert the tags that are missing."""
    rows = [(namespace, name) for name in sorted(set(names))]
    await _insert_once(connection, ("namespace", "name"), rows)


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
