"""Rows and tables as they are, whatever the models say."""

from sqlalchemy import Connection, inspect, text

from taskq_server.core.database import Database
from taskq_server.models import Base

TASKS = [
    ("default", "a", "queued"),
    ("default", "a", "queued"),
    ("default", "a", "running"),  # counts as queued
    ("default", "a", "failed"),
    ("default", "b", "running"),
    ("other", "a", "retrying"),
]
FILLERS = {
    "created_at": "2026-01-01 00:00:00",
    "updated_at": "2026-01-01 00:00:00",
    "started_at": "2026-01-01 00:00:00",
    "finished_at": "2026-01-01 00:00:00",
    "payload": "{}",
}
LEDGER = "SELECT namespace, queue, status, amount FROM task_counts"
ROWS = {  # of tables that all revisions leave alone, and the ledger
    "tasks": "SELECT * FROM tasks",
    "tags": "SELECT * FROM tags",
    "task_tags": "SELECT * FROM task_tags",
    "task_attempts": "SELECT * FROM task_attempts",
    "task_counts": LEDGER,
    "alembic_version": "SELECT * FROM alembic_version",
}

Snapshot = dict[str, tuple[list[str], object]]
"""For each table, how it is made, and its rows: in no order, since the order of indexes is none."""


async def tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    return set(names) - {"alembic_version"}


async def insert(database: Database, table: str, **values: object) -> None:
    """Insert a row as SQL, since the models may be ahead of the schema."""
    columns = [column for column in Base.metadata.tables[table].columns if not column.nullable]
    row = {column.name: FILLERS.get(column.name, 0) for column in columns} | values
    statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES (:{', :'.join(row)})"
    async with database.engine.begin() as connection:
        await connection.execute(text(statement), row)


async def insert_tasks(database: Database) -> None:
    for number, (namespace, queue, status) in enumerate(TASKS):
        given = {"namespace": namespace, "queue": queue, "status": status}
        await insert(database, "tasks", id=f"{number:032x}", **given)


async def insert_rows(database: Database) -> None:
    """Insert tasks, and what belongs to some of them."""
    await insert_tasks(database)
    for number in range(3):
        await insert(database, "tags", id=number + 1, name=f"tag {number}")
        await insert(database, "task_tags", task_id=f"{number:032x}", tag_id=number + 1)
        await insert(database, "task_attempts", task_id=f"{number:032x}", outcome="failed")


async def snapshot(database: Database) -> Snapshot:
    async with database.engine.connect() as connection:
        return await connection.run_sync(_snapshot)


def _snapshot(connection: Connection) -> Snapshot:
    return {
        name: (_shape(connection, name), _rows(connection, name))
        for name in inspect(connection).get_table_names()
    }


def _shape(connection: Connection, table: str) -> list[str]:
    if connection.dialect.name == "sqlite":
        statement = text("SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql <> ''")
        return sorted(connection.scalars(statement, {"table": table}))
    _, made = connection.execute(text(f"SHOW CREATE TABLE {table}")).one()
    words = [word for word in made.split(" ") if not word.startswith("AUTO_INCREMENT=")]
    return sorted(line.rstrip(",") for line in " ".join(words).splitlines())


def _rows(connection: Connection, table: str) -> object:
    if table not in ROWS:
        return connection.scalar(text(f"SELECT COUNT(*) FROM {table}"))
    return sorted(map(repr, connection.execute(text(ROWS[table]))))
