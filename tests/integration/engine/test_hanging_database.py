"""A database that hangs is away; one that is slow, locked or full of connections is not."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import func, select, text

from taskq_server.core.database import Connection, Database, ping
from taskq_server.domain.errors import DatabaseUnavailable
from tests.support.mariadb import MariaDBServer
from tests.support.proxy import Proxy

SILENCE = 1.0
POOL = 4
BIG = "x" * 8_000_000


@pytest.fixture
async def proxy(mariadb_server: MariaDBServer) -> AsyncIterator[Proxy]:
    with Proxy(mariadb_server.port) as opened:
        yield opened
    await asyncio.sleep(0.1)  # connections that were cut off see now that nobody is there


@pytest.fixture
async def database(
    proxy: Proxy, mariadb_url: str, mariadb_server: MariaDBServer
) -> AsyncIterator[Database]:
    url = mariadb_url.replace(f":{mariadb_server.port}/", f":{proxy.port}/")
    database = Database(url, pool_size=POOL, connect_seconds=SILENCE, hang_seconds=SILENCE)
    await database.write(lambda c: c.execute(text("CREATE TABLE noted (what LONGTEXT)")))
    yield database
    await database.close()


async def note(connection: Connection, what: str = "x") -> None:
    await connection.execute(text("INSERT INTO noted VALUES (:what)"), {"what": what})


async def refused(database: Database, what: str) -> float:
    """How long it takes to be told that the database is away."""
    asked = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await database.write(lambda c: note(c, what))
    return time.monotonic() - asked


async def test_all_who_wait_are_told_and_it_recovers_alone(
    database: Database, proxy: Proxy
) -> None:
    await asyncio.gather(*(database.write(note) for _ in range(2 * POOL)))
    before = proxy.accepted
    proxy.silence()
    async with asyncio.timeout(60):
        waited = await asyncio.gather(*(refused(database, what) for what in ("x", BIG)))
        assert max(waited) < 10 * SILENCE
        took = sum([await refused(database, "x") for _ in range(200)])
        assert took < 20 * SILENCE, "at once, from now on: not even one in ten has waited"
        assert proxy.accepted <= before + POOL + 1, "nobody else connects meanwhile"
        proxy.flow()
        await _until(lambda: _answers(database))
        # What was open before stays silent for ever, whether or not anybody used it.
        await asyncio.gather(*(database.write(note) for _ in range(2 * POOL)))


async def test_a_slow_statement_is_waited_for(database: Database) -> None:
    def sleep(connection: Connection) -> object:
        return connection.execute(select(func.sleep(3 * SILENCE)))

    await asyncio.gather(*(database.read(sleep) for _ in range(POOL)))


async def test_a_lock_is_waited_for(
    database: Database, mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    name = mariadb_url.rpartition("/")[2].partition("?")[0]
    hold = f"LOCK TABLES noted WRITE; INSERT INTO noted VALUES ('locked'); DO SLEEP({3 * SILENCE})"
    locking = threading.Thread(target=mariadb_server.sql, args=(hold, name))
    locking.start()
    await _until(lambda: database.read(_is_locked))
    asked = time.monotonic()
    await asyncio.gather(*(database.write(note) for _ in range(POOL)))
    assert time.monotonic() - asked > SILENCE
    locking.join()


async def _is_locked(connection: Connection) -> bool:
    found = await connection.execute(
        text("SHOW OPEN TABLES WHERE `Table` = 'noted' AND In_use > 0")
    )
    return found.first() is not None


async def _answers(database: Database) -> bool:
    try:
        await ping(database)
    except DatabaseUnavailable:
        return False
    return True


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
