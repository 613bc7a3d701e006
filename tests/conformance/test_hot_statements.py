"""Statements that SQLAlchemy does not see: their errors and their connections are still its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core import dialects
from taskq_server.core.database import Database, Violation
from taskq_server.core.dialects.base import Answer, Columns
from taskq_server.domain.errors import ConnectionLost
from tests.support.mariadb import MariaDBServer

POOL = 3


def run(
    connection: AsyncConnection, sql: str, values: Sequence[object] | None = None
) -> Awaitable[Answer]:
    return dialects.of(connection).execute(connection, sql, values)


def insert(connection: AsyncConnection, sql: str, columns: Columns) -> Awaitable[None]:
    return dialects.of(connection).insert_many(connection, sql, columns)


@pytest.fixture
async def database(mariadb_url: str) -> AsyncIterator[Database]:
    database = Database(mariadb_url, pool_size=POOL)
    await database.write(lambda c: run(c, "CREATE TABLE t (id INT PRIMARY KEY)"))
    yield database
    await database.close()


async def number(connection: AsyncConnection) -> int:
    answer = await run(connection, "SELECT CONNECTION_ID()")
    return int(answer.rows[0][0])


async def connections(database: Database) -> list[int]:
    """The numbers of all connections of the pool."""
    everybody = asyncio.Barrier(POOL)

    async def work(connection: AsyncConnection) -> int:
        await everybody.wait()
        return await number(connection)

    return sorted(await asyncio.gather(*(database.write(work) for _ in range(POOL))))


async def test_rows_are_met_and_returned(database: Database) -> None:
    async def work(connection: AsyncConnection) -> tuple[Answer, ...]:
        await dialects.of(connection).insert_many(
            connection, "INSERT INTO t (id) VALUES (%s)", [[1, 2, 3]]
        )
        return (
            await dialects.of(connection).execute(
                connection, "UPDATE t SET id = id WHERE id > %s", (1,)
            ),
            await dialects.of(connection).execute(
                connection, "SELECT id FROM t WHERE id %% 2 = %s", (1,)
            ),
            await run(connection, "SELECT '%', '%%'"),
        )

    met, odd, as_it_is = await database.write(work)
    assert met.met == 2  # also those that are as they were
    assert [tuple(row) for row in odd.rows] == [(1,), (3,)]
    assert [tuple(row) for row in as_it_is.rows] == [("%", "%%")]


async def test_a_refusal_is_sqlalchemys_and_rolls_back(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await run(connection, "INSERT INTO t (id) VALUES (1)")
        await run(connection, "INSERT INTO t (id) VALUES (1)")

    before = await connections(database)
    with pytest.raises(Violation):
        await database.write(work)
    found = await database.read(lambda c: run(c, "SELECT id FROM t"))
    assert list(found.rows) == []
    assert await connections(database) == before


async def test_a_deadlock_is_tried_again(database: Database) -> None:
    await database.write(lambda c: insert(c, "INSERT INTO t (id) VALUES (%s)", [[1, 2]]))
    both = asyncio.Event()
    tries: list[int] = []

    async def work(connection: AsyncConnection, first: int, second: int) -> None:
        tries.append(first)
        lock = "SELECT id FROM t WHERE id = %s FOR UPDATE"
        await run(connection, lock, (first,))
        if len(set(tries)) == 2:
            both.set()
        await both.wait()
        await run(connection, lock, (second,))

    await asyncio.gather(
        database.write(lambda c: work(c, 1, 2)), database.write(lambda c: work(c, 2, 1))
    )
    assert len(tries) == 3


async def test_a_lost_connection_renews_the_whole_pool(
    database: Database, mariadb_server: MariaDBServer
) -> None:
    before = await connections(database)
    mariadb_server.sql(";".join(f"KILL {one}" for one in before))
    assert await database.read(number) not in before
    assert not set(await connections(database)) & set(before)


async def test_a_connection_that_is_lost_each_time_is_said_to_be_lost(
    database: Database, mariadb_server: MariaDBServer
) -> None:
    async def work(connection: AsyncConnection) -> None:
        mariadb_server.sql(f"KILL {await number(connection)}")
        await number(connection)

    with pytest.raises(ConnectionLost):
        await database.write(work)


async def test_whoever_gives_up_takes_the_connection_along(database: Database) -> None:
    before = await connections(database)
    slow = asyncio.create_task(database.read(lambda c: run(c, "SELECT SLEEP(10)")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slow, 0.2)
    after = await connections(database)
    assert len(set(after) & set(before)) == POOL - 1
