"""The one history of migrations, by the command line, on SQLite and on MariaDB."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.dialects import mysql

from taskq_server import migrations
from taskq_server.core.database import Database
from taskq_server.domain.errors import ConfigurationError
from taskq_server.models import Base
from tests.migration.tables import LEDGER, insert, insert_rows, insert_tasks, snapshot, tables
from tests.support.mariadb import MariaDBServer
from tests.support.processes import run_server_command

TABLES = set(Base.metadata.tables)
FOREIGN_KEYS = {
    "task_attempts": [("task_id", "tasks")],
    "task_tags": [("task_id", "tasks"), ("tag_id", "tags")],
}
COLUMNS = [column for table in Base.metadata.sorted_tables for column in table.columns]


def db(url: str, *arguments: str, code: int = 0) -> str:
    """Run `taskq-server db ...`, expect this exit code, and return all it printed."""
    done = run_server_command(["db", *arguments], {"TASKQ_DATABASE_URL": url})
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    assert "Traceback" not in output
    return output


@pytest.fixture(scope="module")
def history() -> ScriptDirectory:
    return ScriptDirectory(str(Path(migrations.__file__).parent))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


def test_the_history_is_one_line(history: ScriptDirectory) -> None:
    assert len(history.get_heads()) == 1
    assert len(history.get_bases()) == 1
    assert all(not revision.is_merge_point for revision in history.walk_revisions())


async def test_up_down_and_up_again_by_hand(database: Database, database_url: str) -> None:
    head = migrations.head()
    assert head in db(database_url, "upgrade")
    assert await tables(database) == TABLES
    assert db(database_url, "current").strip() == head
    assert head in db(database_url, "check")

    db(database_url, "downgrade", "base")
    assert await tables(database) == set()

    assert head in db(database_url, "upgrade")
    assert await tables(database) == TABLES
    assert await migrations.differences(database) == []


async def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    await migrations.upgrade(database)
    await migrations.upgrade(database)
    assert await migrations.current(database) == migrations.head()
    assert await migrations.differences(database) == []


async def test_every_revision_can_be_undone(database: Database, history: ScriptDirectory) -> None:
    revisions = [revision.revision for revision in reversed(list(history.walk_revisions()))]
    for below, revision in zip(["base", *revisions], revisions, strict=False):
        await migrations.upgrade(database, revision)
        after = await tables(database)
        await migrations.downgrade(database, below)
        await migrations.upgrade(database, revision)
        assert await tables(database) == after
    assert await migrations.differences(database) == []


async def test_the_ledger_begins_with_the_tasks_that_are_there(database: Database) -> None:
    await migrations.upgrade(database, "0001")
    await insert_tasks(database)
    for _ in range(2):  # going down and up again counts anew
        await migrations.upgrade(database)
        found = await database.read(lambda c: c.execute(text(LEDGER)))
        assert sorted(tuple(row) for row in found) == [
            ("default", "a", "failed", 1),
            ("default", "a", "queued", 3),
            ("default", "b", "queued", 1),
            ("other", "a", "retrying", 1),
        ]
        await migrations.downgrade(database, "0001")
        assert "task_counts" not in await tables(database)


async def test_what_belongs_to_a_task_changes_its_character_set_with_it(mariadb_url: str) -> None:
    database = Database(mariadb_url)
    await migrations.upgrade(database, "0002")
    kept = f"{1:032x}"
    await insert(database, "tasks", id=kept, status="failed", handler="a.b", queue="q")
    await insert(database, "tags", id=7)
    await insert(database, "task_tags", task_id=kept, tag_id=7)
    await insert(database, "task_attempts", task_id=kept, outcome="failed")
    async with database.engine.begin() as connection:  # as older versions made it
        (key,) = foreign_keys("task_attempts")
        await connection.execute(text(f"ALTER TABLE task_attempts ADD {key}"))
    for move, revision in (
        (migrations.upgrade, "0003"),
        (migrations.downgrade, "0002"),
        (migrations.upgrade, "head"),
    ):
        await move(database, revision)
        async with database.engine.connect() as connection:
            for table in ("task_tags", "task_attempts"):
                ids = await connection.execute(text(f"SELECT task_id FROM {table}"))
                assert ids.scalars().all() == [kept]
    assert await migrations.differences(database) == []
    await database.close()


async def test_the_foreign_keys_of_older_versions_go_and_rows_stay(database: Database) -> None:
    await migrations.upgrade(database, "0009")
    assert "FOREIGN KEY" not in str(await snapshot(database))
    await make_foreign_keys(database)
    await insert_rows(database)
    old = await snapshot(database)
    assert "FOREIGN KEY" in str(old)
    for _ in range(2):
        await migrations.upgrade(database, "0010")
        new = await snapshot(database)
        assert "FOREIGN KEY" not in str(new)
        assert {name: rows for name, (_, rows) in new.items()} == {
            name: rows if name != "alembic_version" else ["('0010',)"]
            for name, (_, rows) in old.items()
        }
        await migrations.downgrade(database, "0009")
    await migrations.upgrade(database)
    assert await migrations.differences(database) == []


async def make_foreign_keys(database: Database) -> None:
    """Make the tables as the revisions did before they stopped to make foreign keys."""
    for table in FOREIGN_KEYS:
        await make_foreign_keys_of(database, table)


async def make_foreign_keys_of(database: Database, table: str) -> None:
    keys = foreign_keys(table)
    said = [f"ALTER TABLE {table} ADD {key}" for key in keys]
    async with database.engine.begin() as connection:
        if database.dialect.name == "sqlite":
            found = text("SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql <> ''")
            made, *indexes = (await connection.execute(found, {"table": table})).scalars().all()
            made = f"{made.rstrip().removesuffix(')')}, {', '.join(keys)})"
            said = [f"DROP TABLE {table}", made, *indexes]
        for statement in said:
            await connection.execute(text(statement))


def foreign_keys(table: str) -> list[str]:
    return [
        f"CONSTRAINT fk_{table}_{column}_{other} FOREIGN KEY ({column}) REFERENCES {other} (id)"
        " ON DELETE CASCADE"
        for column, other in FOREIGN_KEYS[table]
    ]


NONSENSE = ["", " ", "@", "no", "9999", "+99", "-99", "head+1", "0001:0002", "é", "+" + "9" * 5000]


@pytest.mark.parametrize("revision", NONSENSE)
async def test_a_revision_that_there_is_not(sqlite_url: str, revision: str) -> None:
    database = Database(sqlite_url)
    for move in (migrations.upgrade, migrations.downgrade):
        with pytest.raises(ConfigurationError, match=r"no revision .*: say one from 0001"):
            await move(database, revision)
    await database.close()


def test_nonsense_is_one_sentence(database_url: str) -> None:
    assert db(database_url, "upgrade", "", code=78).count("\n") == 1
    assert db(database_url, "downgrade", "nonsense", code=78).count("\n") == 1


async def test_steps_instead_of_revisions(database: Database) -> None:
    for move, target, found in (
        (migrations.upgrade, "+2", "0002"),
        (migrations.downgrade, "-1", "0001"),
        (migrations.upgrade, "0001+1", "0002"),
        (migrations.upgrade, "0001", "0002"),  # it is below
        (migrations.upgrade, "head", migrations.head()),
    ):
        await move(database, target)
        assert await migrations.current(database) == found
    await migrations.downgrade(database, "0001")
    with pytest.raises(ConfigurationError, match="run `taskq-server db upgrade`"):
        await migrations.downgrade(database, "0002")


async def test_a_revision_of_a_later_version_is_refused(database: Database) -> None:
    await migrations.upgrade(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for move, target in ((migrations.upgrade, "head"), (migrations.downgrade, "base")):
        with pytest.raises(ConfigurationError, match=r"9999, which .* does not know"):
            await move(database, target)


async def test_check_refuses_an_empty_database(database: Database, database_url: str) -> None:
    assert "taskq-server db upgrade" in db(database_url, "check", code=78)
    assert await tables(database) == set()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE workers ADD COLUMN surplus INTEGER",
        "ALTER TABLE task_attempts DROP COLUMN worker_id",
        "CREATE INDEX surplus ON tasks (title)",
        "DROP TABLE task_tags",
    ],
)
async def test_a_difference_to_the_models_is_noticed(database: Database, change: str) -> None:
    await migrations.upgrade(database)
    assert await migrations.differences(database) == []
    async with database.engine.begin() as connection:
        await connection.execute(text(change))
    assert await migrations.differences(database) != []


async def test_check_tells_a_difference_to_the_models(
    database: Database, database_url: str
) -> None:
    await migrations.upgrade(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE workers ADD COLUMN surplus INTEGER"))
    assert "surplus" in db(database_url, "check", code=78)


async def test_the_migrations_set_the_character_set(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    name = mariadb_url.rpartition("/")[2].partition("?")[0]
    mariadb_server.sql(f"ALTER DATABASE {name} CHARACTER SET latin1")
    database = Database(mariadb_url)
    await migrations.upgrade(database)
    await database.close()
    columns = mariadb_server.sql(
        "SELECT table_name, column_name, collation_name FROM information_schema.columns WHERE"
        f" collation_name IS NOT NULL AND table_schema = '{name}'"
        " AND table_name <> 'alembic_version'"
    )
    found = {(table, column): kind for table, column, kind in map(str.split, columns.splitlines())}
    assert found == {
        (column.table.name, column.name): kind.collation or "utf8mb4_bin"
        for column in COLUMNS
        if hasattr(kind := column.type.dialect_impl(mysql.dialect()), "collation")
    }
    assert set(found.values()) == {"ascii_bin", "utf8mb4_bin"}
    engines = f"SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = '{name}'"
    assert mariadb_server.sql(engines) == "InnoDB\n"


def test_head_is_what_alembic_says() -> None:
    folder = str(Path(migrations.__file__).parent)
    history = ScriptDirectory(folder)
    assert history.get_current_head() == migrations.head()
