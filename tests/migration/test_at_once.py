"""Several processes that move one schema: the second waits until the first has ended."""

import asyncio
import logging
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from taskq_server import migrations
from taskq_server.core.database import Database
from taskq_server.domain.errors import ConfigurationError, Unavailable
from tests.migration.tables import snapshot, tables
from tests.support.interruptions import hanging, killed, several
from tests.support.mariadb import MariaDBServer
from tests.support.ports import free_port
from tests.support.processes import ServerProcess, run_server_command
from tests.support.waiting import wait_until

WAITS = "waiting for another process that migrates this database"
NEEDED = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@contextmanager
def waiting(url: str, log: Path, *arguments: str) -> Iterator[ServerProcess]:
    """A command that has said that it waits."""
    process = ServerProcess([*arguments], {"TASKQ_DATABASE_URL": url}, log)
    try:
        wait_until(lambda: WAITS in process.output(), 180, "it waits", details=process.output)
        yield process
    finally:
        process.stop()


async def test_several_upgrades_and_downgrades_at_once(
    database: Database, database_url: str
) -> None:
    for _ in range(3):
        with several(4, database_url, "upgrade", "head"):
            pass
        assert await migrations.current(database) == migrations.head()
        assert await migrations.differences(database) == []
        with several(4, database_url, "downgrade", "base"):
            pass
        assert await tables(database) == set()


async def test_a_new_file_that_another_process_opens_too(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE other (id INTEGER)")
    other.execute("BEGIN IMMEDIATE")  # which refuses a change of the journal's mode at once
    ends = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    database = Database(f"sqlite+aiosqlite:///{path}")
    event.listen(database.engine.sync_engine, "do_connect", lambda *_: ends.start(), once=True)
    await migrations.upgrade(database)
    assert await migrations.current(database) == migrations.head()
    await database.close()
    ends.join()
    other.close()


def test_upgrades_of_a_new_file_at_once(tmp_path: Path) -> None:
    for number in range(3):
        url = f"sqlite+aiosqlite:///{tmp_path / str(number)}.db"
        with several(4, url, "upgrade", "head"):
            pass


async def test_a_second_upgrade_waits_and_then_finishes_the_first(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with (
        hanging(database_url, "upgrade", "head", 8) as first,
        waiting(database_url, tmp_path / "log", "db", "upgrade") as second,
    ):
        await asyncio.sleep(5.5)  # SQLite's own patience ends after 5 s
        assert second.running, second.output()
        first.kill()
        assert second.wait() == 0, second.output()
        assert second.output().count(WAITS) == 1
    assert await migrations.current(database) == migrations.head()
    assert await migrations.differences(database) == []


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "downgrade", "base")])
def test_ctrl_c_ends_the_wait(database_url: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    with (
        hanging(database_url, "upgrade", "head", 8),
        waiting(database_url, tmp_path / "log", *command) as second,
    ):
        second.signal(signal.SIGINT)
        assert second.wait(60) == 130
        assert "Traceback" not in second.output()


def test_dev_waits_and_ctrl_c_ends_it(database_url: str, tmp_path: Path) -> None:
    dev = ["dev", "--port", str(free_port()), "--data-dir", str(tmp_path / "data")]
    with (
        hanging(database_url, "upgrade", "head", 8),
        waiting(database_url, tmp_path / "log", *dev) as second,
    ):
        second.signal(signal.SIGINT)
        assert second.wait(60) == 0
        assert "Traceback" not in second.output()


async def test_the_wait_is_bounded(database: Database, database_url: str) -> None:
    with (
        hanging(database_url, "upgrade", "head", 8),
        pytest.raises(Unavailable, match=r"another process .* for 0\.3 s.*try again"),
    ):
        await migrations.upgrade(database, wait_seconds=0.3)


async def test_who_only_looks_does_not_wait(database: Database, database_url: str) -> None:
    await migrations.upgrade(database, "0001")
    with hanging(database_url, "upgrade", "head", 3):
        async with asyncio.timeout(60):
            assert await migrations.current(database) == "0001"
            await migrations.differences(database)
        done = run_server_command(["db", "check"], {"TASKQ_DATABASE_URL": database_url})
        assert "revision 0001" in done.stderr


def test_an_upgrade_says_nothing_when_nobody_else_migrates(database_url: str) -> None:
    done = run_server_command(["db", "upgrade"], {"TASKQ_DATABASE_URL": database_url})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("one", "other"), [("shop", "Shop"), ("x" * 63 + "1", "x" * 63 + "2"), ("ä-1", "a-1")]
)
async def test_databases_of_one_server_do_not_wait_for_each_other(
    mariadb_server: MariaDBServer, one: str, other: str
) -> None:
    for name in (one, other):
        mariadb_server.sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    second = Database(mariadb_server.url(other))
    with hanging(mariadb_server.url(one), "upgrade", "head", 8):
        await migrations.upgrade(second, wait_seconds=0)
        assert await migrations.current(second) == migrations.head()
    await second.close()
    for name in (one, other):
        mariadb_server.sql(f"DROP DATABASE `{name}`")


async def test_an_account_of_this_database_alone_is_enough(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    name = mariadb_url.rpartition("/")[2].partition("?")[0]
    mariadb_server.sql("CREATE USER plain@'%' IDENTIFIED BY 'secret'")
    mariadb_server.sql(f"GRANT {NEEDED} ON {name}.* TO plain@'%'")
    url = mariadb_url.replace("//root@", "//plain:secret@")
    database = Database(url)
    with hanging(url, "upgrade", "head", 8), pytest.raises(Unavailable):
        await migrations.upgrade(database, wait_seconds=0)
    await migrations.upgrade(database)
    assert await migrations.differences(database) == []
    await migrations.downgrade(database, "base")
    assert await tables(database) == set()
    await database.close()
    mariadb_server.sql("DROP USER plain@'%'")


@pytest.mark.parametrize("code", [1105, 1235])
async def test_a_cluster_that_knows_no_locks_is_migrated_without(
    mariadb_url: str, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    database = Database(mariadb_url)

    def refuse(_c: object, _: object, statement: str, values: object, *rest: object) -> object:
        if "GET_LOCK" in statement:
            statement = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}"
        return statement, values

    event.listen(database.engine.sync_engine, "before_cursor_execute", refuse, retval=True)
    with caplog.at_level(logging.WARNING, "taskq.server.migrations"):
        await migrations.upgrade(database)
    assert "only one process migrates" in caplog.text
    assert await migrations.differences(database) == []
    await database.close()


async def test_a_url_without_a_database_is_refused(mariadb_server: MariaDBServer) -> None:
    database = Database(mariadb_server.url(""))
    with pytest.raises(ConfigurationError, match="names no database"):
        await migrations.upgrade(database)
    await database.close()


async def test_the_lock_of_a_killed_process_is_free(database: Database, database_url: str) -> None:
    assert killed(database_url, "upgrade", "head", 8)
    await migrations.upgrade(database, wait_seconds=5)
    before = await snapshot(database)
    await migrations.upgrade(database)
    assert await snapshot(database) == before
