"""What older versions left behind when two of them met, or one was killed."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core.database import Database
from tests.migration.tables import insert_rows, snapshot, tables

INDEXES = [
    ("tasks", "ix_tasks_queue_handler_priority_score"),
    ("tasks", "ix_tasks_namespace_queue_id"),
    ("workers", "ix_workers_lease_until"),
    ("task_attempts", "ix_task_attempts_handler_hook_done_at_finished_at"),
]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def run(database: Database, *statements: str) -> None:
    async with database.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


def drop_indexes(database: Database) -> list[str]:
    on = "" if database.dialect.name == "sqlite" else " ON {0}"
    return [f"DROP INDEX {{1}}{on}".format(*index) for index in INDEXES]


async def test_tables_without_their_indexes(database: Database) -> None:
    await migrations.upgrade(database, "0001")
    await insert_rows(database)
    await migrations.upgrade(database)
    expected = await snapshot(database)

    await migrations.downgrade(database, "0001")
    await run(database, *drop_indexes(database), "DELETE FROM alembic_version")
    assert await migrations.current(database) is None
    await migrations.upgrade(database)
    assert await snapshot(database) == expected


async def test_tables_that_are_missing(database: Database) -> None:
    await migrations.upgrade(database)
    expected = await snapshot(database)

    await migrations.downgrade(database, "0001")
    gone = [f"DROP TABLE {name}" for name in ("task_tags", "task_attempts", "workers")]
    await run(database, *gone, "DELETE FROM alembic_version")
    await migrations.upgrade(database)
    assert await snapshot(database) == expected


@pytest.mark.parametrize("far", ["0001", "0002"])
async def test_the_rows_of_two_revisions(database: Database, far: str) -> None:
    await migrations.upgrade(database, "0001")
    await insert_rows(database)
    await migrations.upgrade(database)
    expected = await snapshot(database)

    await run(database, f"INSERT INTO alembic_version (version_num) VALUES ('{far}')")
    assert await migrations.current(database) == far
    await migrations.upgrade(database)
    assert await snapshot(database) == expected


async def test_a_downgrade_removes_tables_although_nothing_is_recorded(database: Database) -> None:
    await migrations.upgrade(database, "0001")
    await run(database, *drop_indexes(database), "DROP TABLE task_tags")
    await run(database, "DELETE FROM alembic_version")
    await migrations.downgrade(database, "base")
    assert await tables(database) == set()


async def test_a_downgrade_leaves_tables_alone_that_no_migration_made(database: Database) -> None:
    await run(database, "CREATE TABLE tasks (id INTEGER)", "CREATE TABLE tags (id INTEGER)")
    await migrations.downgrade(database, "base")
    await migrations.upgrade(database, "base")
    assert await tables(database) == {"tasks", "tags"}
