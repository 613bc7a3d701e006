"""A server that no longer writes is left, and one that does not write at all is not stormed."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core import dialects
from taskq_server.core.database import Connection, Database
from taskq_server.crud.probe import write_nothing
from taskq_server.domain.errors import DatabaseUnavailable
from tests.support.calls import private_mariadb
from tests.support.mariadb import MariaDBServer
from tests.support.mysql_proxy import MySQLProxy

Run = Callable[[Connection, str], Awaitable[object]]

POOL = 16
PATIENCE = 15.0  # a busy machine is not what these tests are about
CODES = [1047, 1053, 1223, 1290, 1792, 1836, 3032, 3100]
INSERT = "INSERT INTO noted VALUES (1)"


def by_sqlalchemy(connection: Connection, statement: str) -> Awaitable[object]:
    return connection.execute(text(statement))


def by_driver(connection: Connection, statement: str) -> Awaitable[object]:
    return dialects.of(connection).execute(connection, statement)


@pytest.fixture(params=[by_sqlalchemy, by_driver])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


@pytest.fixture
def proxy(mariadb_server: MariaDBServer) -> Iterator[MySQLProxy]:
    with MySQLProxy(mariadb_server.port) as opened:
        yield opened


@pytest.fixture
async def database(proxy: MySQLProxy, mariadb_url: str) -> AsyncIterator[Database]:
    database = Database(proxy.through(mariadb_url), pool_size=POOL, connect_seconds=PATIENCE)
    await database.write(lambda c: by_sqlalchemy(c, "CREATE TABLE noted (what INT)"))
    yield database
    await database.close()


async def all_at_once(database: Database, run: Run, statement: str = INSERT) -> None:
    """Use all connections of the pool."""
    everybody = asyncio.Barrier(POOL)

    async def work(connection: Connection) -> None:
        async with asyncio.timeout(PATIENCE):
            await everybody.wait()
        await run(connection, statement)

    async with asyncio.timeout(2 * PATIENCE):
        await asyncio.gather(*(database.write(work) for _ in range(POOL)))


async def count(database: Database) -> int:
    async def look(connection: Connection) -> int:
        return int((await connection.execute(text("SELECT COUNT(*) FROM noted"))).scalar_one())

    return await database.read(look)


@pytest.mark.parametrize("code", CODES)
async def test_all_who_are_refused_go_to_the_successor(
    database: Database, proxy: MySQLProxy, run: Run, code: int
) -> None:
    await all_at_once(database, run)
    assert proxy.sessions == POOL
    proxy.demote(code)
    async with asyncio.timeout(2 * PATIENCE):
        await asyncio.gather(*(database.write(lambda c: run(c, INSERT)) for _ in range(3 * POOL)))
    assert proxy.refused
    await all_at_once(database, run)
    assert proxy.demoted == 0
    assert await count(database) == 5 * POOL


async def test_readers_leave_it_too(database: Database, proxy: MySQLProxy) -> None:
    await all_at_once(database, by_driver)
    proxy.demote()
    await database.write(lambda c: by_driver(c, INSERT))
    for _ in range(POOL):
        await count(database)
    assert (len(proxy.refused), proxy.demoted) == (1, 0)


async def test_a_transaction_under_way_is_run_again(
    database: Database, proxy: MySQLProxy, run: Run
) -> None:
    tries = 0

    async def work(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        await run(connection, INSERT)
        if tries == 1:
            proxy.demote()

    await database.write(work)
    assert proxy.refused == ["COMMIT"]
    assert (tries, await count(database)) == (2, 1)


async def test_a_second_demotion(database: Database, proxy: MySQLProxy, run: Run) -> None:
    for _ in range(2):
        await all_at_once(database, run)
        proxy.demote()
        began = time.monotonic()
        while not await takes_writes(database, run):
            assert time.monotonic() - began < 2
        await all_at_once(database, run)
        assert proxy.demoted == 0


async def takes_writes(database: Database, run: Run) -> bool:
    try:
        await database.write(lambda c: run(c, INSERT))
    except DatabaseUnavailable:
        return False
    return True


async def test_while_nobody_writes_it_is_said_once_a_second_and_nobody_storms(
    database: Database, proxy: MySQLProxy, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    await all_at_once(database, run)
    before = proxy.accepted
    proxy.read_only()
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "taskq.server.database"):
        for _ in range(200):
            with pytest.raises(DatabaseUnavailable, match="read-only") as caught:
                await database.write(lambda c: run(c, INSERT))
            assert caught.value.retry_after >= 1
            await database.read(lambda c: run(c, "SELECT 1"))
    seconds = int(time.monotonic() - began) + 1
    said = [record.getMessage() for record in caplog.records]
    assert 1 <= len(said) <= seconds
    assert all("read-only" in line and "1290" in line for line in said)
    assert proxy.accepted - before <= (seconds + 1) * POOL
    proxy.heal()
    assert await takes_writes(database, run), "at once"


async def test_a_server_that_is_set_read_only_and_back(
    mariadb_server: MariaDBServer, mariadb_url: str, run: Run
) -> None:
    """For an account like one in production, whose rights end at its own tables."""
    name = mariadb_url.rpartition("/")[2].partition("?")[0]
    mariadb_server.sql(f"CREATE TABLE {name}.noted (what INT)")
    mariadb_server.sql(
        f"CREATE USER {name}@'%'; GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO {name}@'%'"
    )
    database = Database(mariadb_url.replace("root@", f"{name}@"), pool_size=4)
    try:
        assert await takes_writes(database, run)
        mariadb_server.sql("SET GLOBAL read_only = 1")
        for _ in range(10):
            assert not await takes_writes(database, run)
        mariadb_server.sql("SET GLOBAL read_only = 0")
        assert await takes_writes(database, run)
        assert await count(database) == 2
    finally:
        mariadb_server.sql(f"SET GLOBAL read_only = 0; DROP USER {name}@'%'")
        await database.close()


@pytest.mark.parametrize("code", [1020, 1205, 1213, 3101])
async def test_a_conflict_is_tried_ten_times_and_called_by_its_name(
    database: Database,
    proxy: MySQLProxy,
    run: Run,
    code: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy.refuse("insert", code, times=9)
    await database.write(lambda c: run(c, INSERT))
    assert (len(proxy.refused), await count(database)) == (9, 1)
    assert caplog.messages == []
    proxy.refuse("insert", code)
    with pytest.raises(DatabaseUnavailable, match="same rows"):
        await database.write(lambda c: run(c, INSERT))
    assert len(proxy.refused) == 9 + 10
    (line,) = caplog.messages
    assert str(code) in line
    assert "does not answer" not in line


@pytest.mark.parametrize("binlog", ["MIXED", "ROW"])
async def test_the_probe_leaves_no_trace(binlog: str) -> None:
    """With STATEMENT, InnoDB takes no writes in READ COMMITTED."""
    options = ("--log-bin=bin", "--server-id=1", f"--binlog-format={binlog}")
    with private_mariadb(options=options) as server, server.database() as url:
        database = Database(url)
        await migrations.upgrade(database)
        before = server.sql("SHOW MASTER STATUS")
        for _ in range(3):
            await database.write(write_nothing)
        assert server.sql("SHOW MASTER STATUS") == before
        await database.close()


async def test_the_probe_waits_for_nobody(mariadb_url: str) -> None:
    database = Database(mariadb_url)
    await migrations.upgrade(database)
    name = "SELECT * FROM workers LOCK IN SHARE MODE"

    async def hold(connection: Connection) -> None:
        await by_driver(connection, name)
        async with asyncio.timeout(PATIENCE):
            await database.write(write_nothing)

    await database.write(hold)
    await database.close()


async def test_a_sqlite_connection_that_can_only_read(sqlite_url: str, run: Run) -> None:
    """As one that was opened while its file was read-only."""
    database = Database(sqlite_url)
    await database.write(lambda c: run(c, "CREATE TABLE noted (what INT)"))
    await database.read(lambda c: run(c, "PRAGMA query_only = ON"))
    await database.write(lambda c: run(c, INSERT))
    assert await count(database) == 1
    await database.close()
