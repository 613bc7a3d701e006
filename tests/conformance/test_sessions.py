"""Sessions of a server, used by statements that SQLAlchemy does not see.

Their errors and their connections are still SQLAlchemy's.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core import dialects
from taskq_server.core.database import Database, Violation
from taskq_server.core.dialects.compiled import compiled
from taskq_server.crud.tables import tags
from taskq_server.domain.errors import ConnectionLost
from tests.conformance.statements import a_tag, insert_tags, names, run
from tests.support.databases import DATABASES, Kind, Sessions

POOL = 3
PATIENCE = 20.0


@pytest.fixture(
    scope="session", params=[one for one in DATABASES if one.sessions], ids=lambda kind: kind.name
)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def sessions(kind: Kind) -> Sessions:
    assert kind.sessions is not None
    return kind.sessions


@pytest.fixture
async def pool(database: Database, url: str) -> AsyncIterator[Database]:
    """A pool whose connections are counted."""
    pool = Database(url, pool_size=POOL, connect_seconds=PATIENCE)
    yield pool
    await pool.close()


async def number(connection: AsyncConnection, sessions: Sessions) -> int:
    return int((await run(connection, sessions.own)).rows[0][0])


async def connections(pool: Database, sessions: Sessions) -> list[int]:
    """The numbers of all connections of the pool."""
    everybody = asyncio.Barrier(POOL)

    async def work(connection: AsyncConnection) -> int:
        await everybody.wait()
        return await number(connection, sessions)

    async with asyncio.timeout(3 * PATIENCE):
        return sorted(await asyncio.gather(*(pool.write(work) for _ in range(POOL))))


async def end(database: Database, sessions: Sessions, *numbers: int) -> None:
    for one in numbers:
        await database.write(lambda c, n=one: c.execute(text(sessions.end.format(n))))


async def test_a_refusal_keeps_the_connections(pool: Database, sessions: Sessions) -> None:
    async def work(connection: AsyncConnection) -> None:
        await insert_tags(connection, a_tag("one"))
        await insert_tags(connection, a_tag("two"))

    before = await connections(pool, sessions)
    with pytest.raises(Violation):
        await pool.write(work)
    assert await connections(pool, sessions) == before
    assert await names(pool) == []


async def test_a_deadlock_is_tried_again(pool: Database) -> None:
    await pool.write(lambda c: insert_tags(c, a_tag("one", 1), a_tag("two", 2)))
    both = asyncio.Event()
    tries: list[int] = []

    async def lock(connection: AsyncConnection, which: int) -> None:
        statement = select(tags.c.id).where(tags.c.id == which).with_for_update()
        locking = compiled(statement, connection.dialect)
        await dialects.of(connection).execute(connection, locking.sql, locking.values({}))

    async def work(connection: AsyncConnection, first: int, second: int) -> None:
        tries.append(first)
        await lock(connection, first)
        if len(set(tries)) == 2:
            both.set()
        await both.wait()
        await lock(connection, second)

    async with asyncio.timeout(3 * PATIENCE):
        await asyncio.gather(
            pool.write(lambda c: work(c, 1, 2)), pool.write(lambda c: work(c, 2, 1))
        )
    assert len(tries) == 3


async def test_a_lost_connection_renews_the_whole_pool(
    database: Database, pool: Database, sessions: Sessions
) -> None:
    before = await connections(pool, sessions)
    await end(database, sessions, *before)
    assert await pool.read(lambda c: number(c, sessions)) not in before
    assert not set(await connections(pool, sessions)) & set(before)


async def test_a_connection_that_is_lost_each_time_is_said_to_be_lost(
    database: Database, pool: Database, sessions: Sessions
) -> None:
    async def work(connection: AsyncConnection) -> None:
        await end(database, sessions, await number(connection, sessions))
        await number(connection, sessions)

    with pytest.raises(ConnectionLost):
        await pool.write(work)


async def test_whoever_gives_up_takes_the_connection_along(
    pool: Database, sessions: Sessions
) -> None:
    before = await connections(pool, sessions)
    slow: asyncio.Task[Any] = asyncio.create_task(pool.read(lambda c: run(c, sessions.sleep)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slow, 0.2)
    after = await connections(pool, sessions)
    assert len(set(after) & set(before)) == POOL - 1
