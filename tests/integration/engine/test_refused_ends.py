"""No connection goes back into the pool whose transaction may still be open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from taskq_server.core import dialects
from taskq_server.core.database import Connection, Database, DatabaseError
from taskq_server.domain.errors import ConnectionLost, DatabaseUnavailable
from tests.support.mariadb import MariaDBServer
from tests.support.mysql_proxy import MySQLProxy

Run = Callable[[Connection, str], Awaitable[object]]

CODES = [1047, 1053, 1105, 1180, 1205, 1213, 1290, 1836, 3100, 3101]


class Mine(Exception):
    """What a work raises to have its transaction undone."""


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
    database = Database(proxy.through(mariadb_url), pool_size=1, connect_seconds=15)
    await database.write(lambda c: by_sqlalchemy(c, "CREATE TABLE noted (what INT)"))
    yield database
    await database.close()


async def noted(database: Database) -> list[int]:
    async def look(connection: Connection) -> list[int]:
        found = await connection.execute(text("SELECT what FROM noted ORDER BY what"))
        return list(found.scalars())

    return await database.read(look)


async def check_only_the_next_one_counts(database: Database, *, kept: list[int]) -> None:
    await database.write(lambda c: by_sqlalchemy(c, "INSERT INTO noted VALUES (9)"))
    assert await noted(database) == [*kept, 9]


def half(run: Run) -> Callable[[Connection], Awaitable[None]]:
    async def work(connection: Connection) -> None:
        await run(connection, "INSERT INTO noted VALUES (1)")
        raise Mine

    return work


@pytest.mark.parametrize("code", CODES)
async def test_a_rollback_that_is_refused(
    database: Database, proxy: MySQLProxy, run: Run, code: int
) -> None:
    proxy.refuse("rollback", code, times=1)
    with pytest.raises(Mine):
        await database.write(half(run))
    assert proxy.refused == ["ROLLBACK"]
    await check_only_the_next_one_counts(database, kept=[])


@pytest.mark.parametrize("code", CODES)
async def test_a_commit_that_is_refused_once_is_tried_again(
    database: Database, proxy: MySQLProxy, run: Run, code: int
) -> None:
    proxy.refuse("commit", code, times=1)
    await database.write(lambda c: run(c, "INSERT INTO noted VALUES (1)"))
    assert proxy.refused == ["COMMIT"]
    await check_only_the_next_one_counts(database, kept=[1])


@pytest.mark.parametrize("code", CODES)
async def test_ends_that_are_refused_for_good_are_an_error(
    database: Database, proxy: MySQLProxy, run: Run, code: int
) -> None:
    proxy.refuse("commit|rollback", code, written=True)
    with pytest.raises(DatabaseUnavailable) as caught:
        await database.write(lambda c: run(c, "INSERT INTO noted VALUES (1)"))
    assert not isinstance(caught.value, ConnectionLost), "it answered"
    with pytest.raises(DatabaseUnavailable):
        await database.write(half(run))
    proxy.heal()
    await check_only_the_next_one_counts(database, kept=[])


async def test_a_rollback_that_is_refused_after_a_statement_that_failed(
    database: Database, proxy: MySQLProxy, run: Run
) -> None:
    async def work(connection: Connection) -> None:
        await run(connection, "INSERT INTO noted VALUES (1)")
        await run(connection, "INSERT INTO nowhere VALUES (1)")

    proxy.refuse("rollback", times=1)
    with pytest.raises(DatabaseError, match="nowhere"):
        await database.write(work)
    await check_only_the_next_one_counts(database, kept=[])


async def test_a_reader_whose_commit_is_refused(database: Database, proxy: MySQLProxy) -> None:
    assert await noted(database) == []
    proxy.refuse("commit", times=2)
    with pytest.raises(DatabaseUnavailable):
        await noted(database)
    await database.write(lambda c: by_sqlalchemy(c, "INSERT INTO noted VALUES (1)"))
    assert await noted(database) == [1]


async def test_a_connection_that_is_borrowed_from_the_engine(
    database: Database, proxy: MySQLProxy
) -> None:
    """As migrations do, which know no `write`."""
    proxy.refuse("rollback", times=1)
    with pytest.raises(DatabaseError):
        async with database.engine.connect() as connection:
            await by_sqlalchemy(connection, "INSERT INTO noted VALUES (1)")
    proxy.refuse("commit", times=1)
    with pytest.raises(DatabaseError):
        async with database.engine.begin() as connection:
            await by_sqlalchemy(connection, "INSERT INTO noted VALUES (2)")
    await check_only_the_next_one_counts(database, kept=[])


@pytest.mark.parametrize("held", ["insert", "commit", "rollback", "select"])
@pytest.mark.parametrize("by", ["its caller", "the time"])
async def test_whoever_is_cancelled_in_the_middle(
    database: Database, proxy: MySQLProxy, run: Run, held: str, by: str
) -> None:
    async def work(connection: Connection) -> None:
        await run(connection, "INSERT INTO noted VALUES (1)")
        await run(connection, "SELECT what FROM noted FOR UPDATE")
        if held == "rollback":
            raise Mine

    gate = proxy.hold(held)
    call = asyncio.ensure_future(database.write(work))
    assert await asyncio.to_thread(gate.wait)
    if by == "its caller":
        call.cancel()
    with pytest.raises((asyncio.CancelledError, TimeoutError)):
        await asyncio.wait_for(call, 0.01)
    proxy.heal()
    await check_only_the_next_one_counts(database, kept=[])


@pytest.mark.parametrize("rows", [1, 3, 5_000])
async def test_an_answer_that_cannot_be_read_is_left_to_nobody(
    database: Database, run: Run, rows: int
) -> None:
    """Its rest would be taken for the answer to ROLLBACK."""

    async def work(connection: Connection) -> None:
        await run(connection, "INSERT INTO noted VALUES (1)")
        await run(connection, "SET character_set_results = NULL")
        unreadable = f"SELECT CONVERT('\u00ff' USING latin1), 'xxxxx' FROM seq_1_to_{rows}"
        await run(connection, unreadable)

    with pytest.raises(UnicodeDecodeError):
        await database.write(work)
    await check_only_the_next_one_counts(database, kept=[])


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
async def test_sqlite_refuses_an_end(sqlite_url: str, end: str) -> None:
    database = Database(sqlite_url)
    await database.write(lambda c: by_sqlalchemy(c, "CREATE TABLE noted (what INT)"))

    async def work(connection: Connection) -> None:
        await by_sqlalchemy(connection, "INSERT INTO noted VALUES (1)")
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.set_authorizer(lambda action, what, *_: int(what == end))
        if end == "ROLLBACK":
            raise Mine

    with pytest.raises(DatabaseError, match="not authorized"):
        await database.write(work)
    await check_only_the_next_one_counts(database, kept=[])
    await database.close()


def check_foreign_keys(connection: Any, _: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


async def test_sqlite_finds_a_broken_rule_at_the_commit(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    event.listen(database.engine.sync_engine, "connect", check_foreign_keys)
    for table in ("whole (id INT PRIMARY KEY)", "noted (what INT, id INT REFERENCES whole)"):
        await database.write(lambda c, t=table: by_sqlalchemy(c, f"CREATE TABLE {t}"))

    async def work(connection: Connection) -> None:
        await by_sqlalchemy(connection, "PRAGMA defer_foreign_keys = ON")
        await by_sqlalchemy(connection, "INSERT INTO noted VALUES (1, 1)")

    with pytest.raises(DatabaseError, match="FOREIGN KEY"):
        await database.write(work)
    await database.write(lambda c: by_sqlalchemy(c, "INSERT INTO noted VALUES (9, NULL)"))
    assert await noted(database) == [9]
    await database.close()


async def test_a_full_sqlite_file_keeps_no_half(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    await database.write(lambda c: by_sqlalchemy(c, "CREATE TABLE noted (what INT, more TEXT)"))

    async def work(connection: Connection) -> None:
        await by_sqlalchemy(connection, "INSERT INTO noted VALUES (1, '')")
        await by_sqlalchemy(connection, "PRAGMA max_page_count = 3")
        await by_sqlalchemy(connection, "INSERT INTO noted VALUES (2, hex(zeroblob(100000)))")

    with pytest.raises(DatabaseUnavailable):
        await database.write(work)
    await database.write(lambda c: by_sqlalchemy(c, "INSERT INTO noted VALUES (9, '')"))
    assert await noted(database) == [9]
    await database.close()
