"""Statements of the tests, run as the hot path runs its own."""

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core import dialects
from taskq_server.core.database import Database
from taskq_server.core.dialects.base import Answer
from taskq_server.core.dialects.compiled import compiled
from taskq_server.crud.tables import tags
from tests.unit.server.factories import rows_of

Row = dict[str, object]


def a_tag(name: str, number: int = 1) -> Row:
    """Return a row of the tags."""
    return {"id": number, "namespace": "default", "name": name}


async def names(database: Database) -> list[str]:
    """Return the names of all tags."""
    return sorted(row["name"] for row in await rows_of(database, tags))


async def run(connection: AsyncConnection, sql: str, **values: object) -> Answer:
    """Run SQL with named parameters (`:name`)."""
    statement = compiled(text(sql), connection.dialect)
    return await dialects.of(connection).execute(
        connection, statement.sql, statement.values(values)
    )


async def insert_tags(connection: AsyncConnection, *rows: Row) -> None:
    """Insert tags in one statement, or in as many as the dialect thinks fit."""
    statement = compiled(insert(tags), connection.dialect, column_keys=list(rows[0]))
    columns = [[row[bind.name] for row in rows] for bind in statement.binds]
    await dialects.of(connection).insert_many(connection, statement.sql, columns)
