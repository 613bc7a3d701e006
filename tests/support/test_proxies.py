"""The proxies refuse what they are told to, on the sessions that they are told, and keep them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncmy
import pytest
import redis
from asyncmy.errors import OperationalError

from tests.support.mariadb import MariaDBServer
from tests.support.mysql_proxy import NOT_PRIMARY, READ_ONLY, MySQLProxy
from tests.support.redis_proxy import RedisProxy
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


@pytest.fixture
def before_mariadb(mariadb_server: MariaDBServer) -> Iterator[MySQLProxy]:
    with MySQLProxy(mariadb_server.port) as proxy:
        yield proxy


@pytest.fixture
def before_redis(redis_server: ValkeyServer) -> Iterator[RedisProxy]:
    redis_server.flush()
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Any]:
    """A cursor of a session of its own."""
    parts = urlsplit(url)
    connection = await asyncmy.connect(
        host="127.0.0.1", port=parts.port, user="root", database=parts.path.strip("/")
    )
    try:
        yield connection.cursor()
    finally:
        connection.close()


async def code_of(cursor: Any, statement: str) -> int:
    """The number of the error that a statement gets; 0 if it gets none."""
    try:
        await cursor.execute(statement)
    except OperationalError as error:
        return int(error.args[0])
    return 0


async def ended(proxy: MySQLProxy) -> None:
    await asyncio.to_thread(wait_until, lambda: proxy.sessions == 0, 10, "all sessions have ended")


async def test_statements_are_refused_and_their_transaction_stays_open(
    before_mariadb: MySQLProxy, mariadb_url: str
) -> None:
    async with session(before_mariadb.through(mariadb_url)) as cursor:
        assert await code_of(cursor, "CREATE TABLE t (id INT PRIMARY KEY)") == 0
        assert await code_of(cursor, "INSERT INTO t VALUES (1)") == 0
        before_mariadb.refuse("commit|rollback", times=2)
        assert await code_of(cursor, "ROLLBACK") == NOT_PRIMARY
        assert await code_of(cursor, "commit") == NOT_PRIMARY
        assert before_mariadb.refused == ["ROLLBACK", "commit"]
        assert await code_of(cursor, "COMMIT") == 0
    async with session(mariadb_url) as cursor:
        await cursor.execute("SELECT id FROM t")
        assert await cursor.fetchall() == ((1,),)


async def test_a_demotion_meets_writes_of_the_sessions_that_are_open(
    before_mariadb: MySQLProxy, mariadb_url: str
) -> None:
    url = before_mariadb.through(mariadb_url)
    async with session(url) as old, session(url) as idle:
        assert await code_of(old, "CREATE TABLE t (id INT PRIMARY KEY)") == 0
        assert await code_of(old, "INSERT INTO t VALUES (1)") == 0
        before_mariadb.demote()
        assert before_mariadb.demoted == 2
        assert await code_of(old, "COMMIT") == READ_ONLY
        assert await code_of(old, "SELECT * FROM t FOR UPDATE") == 0
        assert await code_of(old, "ROLLBACK") == 0
        writes = [
            "INSERT INTO t VALUES (2)",
            "UPDATE t SET id = 3",
            " delete from t",
            "DROP TABLE t",
        ]
        assert [await code_of(idle, each) for each in writes] == [READ_ONLY] * 4
        assert await code_of(idle, "COMMIT") == 0
        async with session(url) as new:
            assert [await code_of(new, each) for each in writes] == [0] * 4
    await ended(before_mariadb)
    assert before_mariadb.demoted == 0


async def test_a_large_statement_passes_or_is_refused_whole(
    before_mariadb: MySQLProxy, mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    before = mariadb_server.sql("SELECT @@max_allowed_packet")
    mariadb_server.sql("SET GLOBAL max_allowed_packet = 64 * 1024 * 1024")
    large = f"SELECT LENGTH('{'x' * 20_000_000}')"
    async with session(before_mariadb.through(mariadb_url)) as cursor:
        mariadb_server.sql(f"SET GLOBAL max_allowed_packet = {before}")
        assert await code_of(cursor, large) == 0
        assert await cursor.fetchall() == ((20_000_000,),)
        before_mariadb.refuse("select length")
        assert await code_of(cursor, large) == NOT_PRIMARY
        before_mariadb.heal()
        assert await code_of(cursor, "SELECT LENGTH('x')") == 0


async def test_what_is_held_goes_on_when_it_is_released(
    before_mariadb: MySQLProxy, mariadb_url: str
) -> None:
    async with session(before_mariadb.through(mariadb_url)) as cursor:
        held = before_mariadb.hold("select 7")
        asked = asyncio.create_task(code_of(cursor, "SELECT 7"))
        assert await asyncio.to_thread(held.wait)
        assert not asked.done()
        held.release()
        assert await asyncio.wait_for(asked, 180) == 0


async def test_dropped_sessions_are_gone(before_mariadb: MySQLProxy, mariadb_url: str) -> None:
    async with session(before_mariadb.through(mariadb_url)) as cursor:
        before_mariadb.drop()
        await ended(before_mariadb)
        assert await code_of(cursor, "SELECT 1") in (2006, 2013)


def test_a_demoted_redis_refuses_writes_in_order(
    before_redis: RedisProxy, redis_server: ValkeyServer
) -> None:
    url = before_redis.through(redis_server.url)
    with redis.Redis.from_url(url, decode_responses=True) as old:
        assert old.zadd("key", {"a": 1}) == 1
        before_redis.demote()
        pipe = old.pipeline(transaction=False)
        pipe.zadd("key", {"b": 1}).publish("news", "x").zrange("key", 0, -1).delete("key")
        added, told, found, deleted = pipe.execute(raise_on_error=False)
        assert (told, found) == (0, ["a"])
        assert isinstance(added, redis.ReadOnlyError)
        assert isinstance(deleted, redis.ReadOnlyError)
        assert before_redis.refused == ["ZADD", "DEL"]
        with pytest.raises(redis.ReadOnlyError):
            old.register_script("return redis.call('ZRANGE', KEYS[1], 0, 0)")(["key"])
        with redis.Redis.from_url(url) as new:
            assert new.zadd("key", {"b": 1}) == 1
        assert before_redis.demoted == 1


def test_news_pass_a_redis_proxy(before_redis: RedisProxy, redis_server: ValkeyServer) -> None:
    with redis.Redis.from_url(before_redis.through(redis_server.url)) as client:
        subscription = client.pubsub()
        subscription.subscribe("news")
        assert (subscription.get_message(timeout=10) or {})["type"] == "subscribe"
        before_redis.demote()
        assert client.publish("news", "x" * 100_000) == 1
        assert len((subscription.get_message(timeout=10) or {})["data"]) == 100_000
        subscription.close()
