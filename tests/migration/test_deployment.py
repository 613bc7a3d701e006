"""The deployment's id: written once, kept by whatever is run again, replaced on demand."""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core.database import Database
from taskq_server.crud import deployment
from tests.support.processes import run_server_command


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def ids(database: Database) -> list[str]:
    found = await database.read(lambda c: c.execute(text("SELECT id FROM deployment")))
    return list(found.scalars())


async def run(database: Database, *statements: str) -> None:
    for statement in statements:
        await database.write(lambda c, said=statement: c.execute(text(said)))


def db(url: str, word: str, code: int = 0) -> tuple[str, str]:
    """What `taskq-server db WORD` prints: the answer, and what else it says."""
    done = run_server_command(["db", word], {"TASKQ_DATABASE_URL": url})
    assert done.returncode == code, done.stderr
    return done.stdout.strip(), done.stderr.strip()


async def test_the_id_is_written_once(database: Database) -> None:
    assert await database.read(deployment.read) is None
    await migrations.upgrade(database)
    (first,) = await ids(database)
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert await database.read(deployment.read) == first
    await migrations.upgrade(database)
    assert await ids(database) == [first]


@pytest.mark.parametrize("row_is_there", [True, False])
async def test_a_migration_that_failed_halfway_is_run_again(
    database: Database, row_is_there: bool
) -> None:
    await migrations.upgrade(database)
    before = await ids(database)
    await run(database, "UPDATE alembic_version SET version_num = '0003'")
    if not row_is_there:
        await run(database, "DELETE FROM deployment")
    await migrations.upgrade(database)
    (after,) = await ids(database)
    assert (after == before[0]) == row_is_there
    assert await migrations.differences(database) == []


async def test_each_database_has_an_id_of_its_own(mariadb_url: str, sqlite_url: str) -> None:
    found = []
    for url in (mariadb_url, sqlite_url):
        database = Database(url)
        await migrations.upgrade(database)
        found += await ids(database)
        await database.close()
    assert len(set(found)) == 2


async def test_a_new_deployment_replaces_the_id(database: Database, database_url: str) -> None:
    await migrations.upgrade(database)
    before = db(database_url, "deployment")[0]
    assert [before] == await ids(database)
    new, said = db(database_url, "new-deployment")
    assert new != before
    assert "Restart every process" in said
    assert await ids(database) == [new]


async def test_a_row_that_is_gone_is_put_back_on_demand(
    database: Database, database_url: str
) -> None:
    await migrations.upgrade(database)
    await run(database, "DELETE FROM deployment")
    assert db(database_url, "deployment", code=78) == (
        "",
        "taskq-server: the database has no deployment id: run `taskq-server db new-deployment`",
    )
    assert [db(database_url, "new-deployment")[0]] == await ids(database)


@pytest.mark.parametrize(("revision", "word"), [("base", "new-deployment"), ("0003", "deployment")])
async def test_without_the_schema_one_sentence_says_what_to_do(
    database: Database, database_url: str, revision: str, word: str
) -> None:
    if revision != "base":
        await migrations.upgrade(database, revision)
    assert db(database_url, word, code=78) == (
        "",
        f"taskq-server: the database is at revision {revision}, not {migrations.head()}: "
        "run `taskq-server db upgrade`",
    )
