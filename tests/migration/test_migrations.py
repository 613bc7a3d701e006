"""The one history of migrations, by the command line, on SQLite and on MariaDB."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

import taskq_server
from taskq_server.models import Base
from tests.support.mariadb import MariaDBServer
from tests.support.processes import run_server_command

TABLES = set(Base.metadata.tables)


def db(url: str, *arguments: str, code: int = 0) -> str:
    """Run `taskq-server db ...`, expect this exit code, and return all it printed."""
    done = run_server_command(["db", *arguments], {"TASKQ_DATABASE_URL": url})
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    assert "Traceback" not in output
    return output


async def tables(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()
    return set(names) - {"alembic_version"}


async def execute(url: str, statement: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture(scope="module")
def history() -> ScriptDirectory:
    return ScriptDirectory(str(Path(taskq_server.__file__).parent / "migrations"))


def test_the_history_is_one_line(history: ScriptDirectory) -> None:
    assert len(history.get_heads()) == 1
    assert len(history.get_bases()) == 1
    assert all(not revision.is_merge_point for revision in history.walk_revisions())


async def test_up_down_and_up_again(database_url: str, history: ScriptDirectory) -> None:
    (head,) = history.get_heads()
    db(database_url, "upgrade")
    assert await tables(database_url) == TABLES
    assert head in db(database_url, "current")
    db(database_url, "check")

    db(database_url, "downgrade", "base")
    assert await tables(database_url) == set()
    assert head not in db(database_url, "current")

    db(database_url, "upgrade")
    assert await tables(database_url) == TABLES
    db(database_url, "check")


def test_every_revision_can_be_undone(database_url: str, history: ScriptDirectory) -> None:
    revisions = [revision.revision for revision in reversed(list(history.walk_revisions()))]
    for below, revision in zip(["base", *revisions], revisions, strict=False):
        db(database_url, "upgrade", revision)
        db(database_url, "downgrade", below)
        db(database_url, "upgrade", revision)
    db(database_url, "check")


def test_a_second_upgrade_changes_nothing(database_url: str) -> None:
    db(database_url, "upgrade")
    before = db(database_url, "current")
    db(database_url, "upgrade")
    assert db(database_url, "current") == before


async def test_check_refuses_an_empty_database(database_url: str) -> None:
    db(database_url, "check", code=1)
    assert await tables(database_url) == set()


async def test_check_notices_a_difference_to_the_models(database_url: str) -> None:
    db(database_url, "upgrade")
    await execute(database_url, "ALTER TABLE workers ADD COLUMN surplus INTEGER")
    assert "surplus" in db(database_url, "check", code=1)
    await execute(database_url, "ALTER TABLE workers DROP COLUMN surplus")
    db(database_url, "check")


def test_the_migrations_set_the_character_set(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    name = mariadb_url.rpartition("/")[2].partition("?")[0]
    mariadb_server.sql(f"ALTER DATABASE {name} CHARACTER SET latin1")
    db(mariadb_url, "upgrade")
    found = mariadb_server.sql(
        "SELECT DISTINCT collation_name FROM information_schema.columns WHERE collation_name IS NOT"
        f" NULL AND table_schema = '{name}' AND table_name <> 'alembic_version'"
        " AND data_type <> 'longtext'"  # JSON is a longtext with a collation of its own
    )
    assert found == "utf8mb4_bin\n"
    engines = f"SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = '{name}'"
    assert mariadb_server.sql(engines) == "InnoDB\n"
