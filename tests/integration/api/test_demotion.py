"""Servers that are demoted while sessions stay open, seen from the API."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from taskq_server import migrations
from taskq_server.broker.connection import connect, probe
from taskq_server.core.config import Settings
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from tests.integration.api.conftest import migrate
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.mariadb import MariaDBServer
from tests.support.mysql_proxy import MySQLProxy
from tests.support.redis_proxy import RedisProxy
from tests.support.valkey import ValkeyServer

POOL = 16
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}}
OK = {"status": "ok", "database": "ok", "redis": "ok", "reasons": []}


@pytest.fixture
def before_mariadb(mariadb_server: MariaDBServer) -> Iterator[MySQLProxy]:
    with MySQLProxy(mariadb_server.port) as proxy:
        yield proxy


@pytest.fixture
def before_redis(redis_server: ValkeyServer) -> Iterator[RedisProxy]:
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
async def runtime(
    before_mariadb: MySQLProxy, before_redis: RedisProxy, mariadb_url: str, redis_url: str
) -> AsyncIterator[Runtime]:
    settings = Settings(
        auth="off",
        database_url=before_mariadb.through(mariadb_url),
        database_pool_size=POOL,
        database_connect_seconds=15,
        redis_url=before_redis.through(redis_url),
        wait_poll_seconds=30,
    )
    await migrate(mariadb_url)
    async with open_runtime(settings) as opened:
        await ScriptedWorker(opened).publish()
        yield opened


@pytest.fixture
async def api(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(runtime=runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


async def everything(api: httpx.AsyncClient) -> list[int]:
    """The answers to what goes through all ways to the database at once."""
    submitted = (await api.post("/tasks", json=ECHO)).json()
    path = f"/tasks/{submitted['id']}"
    answers = await asyncio.gather(
        *(api.post("/tasks", json=ECHO) for _ in range(POOL)),
        *(api.post("/tasks", json={**ECHO, "tags": [str(tag)]}) for tag in range(POOL)),
        api.post("/tasks/batch", json={"items": [ECHO] * 3}),
        api.patch(path, json={"priority": "high"}),
        api.get("/tasks"),
        api.get(path),
    )
    return sorted({answer.status_code for answer in answers})


async def test_everything_goes_on_when_the_database_is_demoted(
    api: httpx.AsyncClient, before_mariadb: MySQLProxy
) -> None:
    assert await everything(api) == [200, 201]
    before_mariadb.demote()
    assert await everything(api) == [200, 201]
    assert before_mariadb.refused
    assert (await api.get("/readyz")).json() == OK


@pytest.mark.parametrize("step", ["claim", "report", "end"])
async def test_what_workers_do_goes_on(
    api: httpx.AsyncClient, runtime: Runtime, before_mariadb: MySQLProxy, step: str
) -> None:
    worker = ScriptedWorker(runtime)
    task_id = (await api.post("/tasks", json=ECHO)).json()["id"]

    def demote_before(here: str) -> None:
        if here == step:
            before_mariadb.demote()

    demote_before("claim")
    claimed = await worker.claim(task_id)
    demote_before("report")
    await worker.report(claimed, 0.5)
    demote_before("end")
    await worker.succeed(claimed, 1)
    assert before_mariadb.refused
    assert (await api.get(f"/tasks/{task_id}")).json()["status"] == "succeeded"


async def test_a_database_that_only_reads_is_not_ready(
    api: httpx.AsyncClient, before_mariadb: MySQLProxy, caplog: pytest.LogCaptureFixture
) -> None:
    before_mariadb.read_only()
    with caplog.at_level(logging.WARNING):
        refused = await api.post("/tasks", json=ECHO)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["code"] == "database-unavailable"
    assert "read-only" in caplog.text
    ready = await api.get("/readyz")
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
    assert ready.json() == {
        "status": "unavailable",
        "database": "unavailable",
        "redis": "ok",
        "reasons": ["database-read-only"],
    }
    assert (await api.get("/tasks")).status_code == 200, "it can be read"
    assert (await api.get("/livez")).status_code == 200
    before_mariadb.heal()
    assert (await api.get("/readyz")).json() == OK
    assert (await api.post("/tasks", json=ECHO)).status_code == 201


async def test_a_database_without_tables_is_not_ready(mariadb_url: str) -> None:
    async with open_runtime(Settings(database_url=mariadb_url, auth="off")) as runtime:
        without = await runtime.readiness.check()
        assert (without.database, without.reasons) == ("unavailable", ["schema-mismatch"])
        await migrations.upgrade(runtime.database)
        assert (await runtime.readiness.check()).database == "ok"


async def test_an_account_with_the_least_rights_is_ready(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    name = mariadb_url.rpartition("/")[2].partition("?")[0]
    rights = "SELECT, INSERT, UPDATE, DELETE"
    await migrate(mariadb_url)
    mariadb_server.sql(f"CREATE USER {name}@'%'; GRANT {rights} ON {name}.* TO {name}@'%'")
    try:
        url = mariadb_url.replace("root@", f"{name}@")
        async with open_runtime(Settings(database_url=url, auth="off")) as runtime:
            assert (await runtime.readiness.check()).database == "ok"
            mariadb_server.sql("SET GLOBAL read_only = 1")
            assert (await runtime.readiness.check()).database == "unavailable"
            mariadb_server.sql("SET GLOBAL read_only = 0")
            assert (await runtime.readiness.check()).database == "ok"
    finally:
        mariadb_server.sql(f"SET GLOBAL read_only = 0; DROP USER {name}@'%'")


async def test_no_bell_is_lost_when_redis_is_demoted(
    api: httpx.AsyncClient, before_redis: RedisProxy, redis_server: ValkeyServer
) -> None:
    assert (await api.post("/tasks", json=ECHO)).status_code == 201
    await until(lambda: redis_server.size() == 1)
    redis_server.flush()
    before_redis.demote()
    assert before_redis.demoted >= 2, "the subscription, too"
    submitted = await api.post("/tasks", json=ECHO)
    assert submitted.status_code == 201
    await until(lambda: redis_server.size() == 1)
    assert before_redis.refused == ["ZADD"]
    await until(lambda: before_redis.demoted == 0)


async def test_a_waiter_hears_news_of_the_successor(
    api: httpx.AsyncClient, runtime: Runtime, before_redis: RedisProxy
) -> None:
    task_id = (await api.post("/tasks", json=ECHO)).json()["id"]
    assert (await api.get("/readyz")).json() == OK
    before_redis.demote()
    assert (await api.get("/readyz")).json() == OK
    await until(lambda: before_redis.demoted == 0)
    waiting = asyncio.create_task(api.get(f"/tasks/{task_id}?wait=20"))
    await until(lambda: runtime.notifier.waiters == 1)
    worker = ScriptedWorker(runtime)
    await worker.succeed(await worker.claim(task_id), 1)
    told = time.monotonic()
    assert (await waiting).json()["status"] == "succeeded"
    assert time.monotonic() - told < 15, "sooner than it would look by itself"


@pytest.mark.parametrize(
    "error",
    [
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "NOREPLICAS Not enough good replicas to write.",
        "MISCONF Redis is configured to save RDB snapshots, but it can't.",
        "ERR Error running script: @user_script: 1: -READONLY You can't write against a replica.",
    ],
)
async def test_a_redis_that_refuses_for_good_is_not_ready(
    api: httpx.AsyncClient, before_redis: RedisProxy, error: str
) -> None:
    before_redis.read_only(error)
    accepted = before_redis.accepted
    for _ in range(20):
        ready = await api.get("/readyz")
        assert ready.status_code == 200, "the database takes tasks"
        assert ready.json() == {**OK, "redis": "unavailable"}
    assert before_redis.accepted - accepted <= 10
    before_redis.heal()
    assert (await api.get("/readyz")).json() == OK


async def test_a_real_redis_that_becomes_a_replica_and_a_primary_again(
    redis_server: ValkeyServer,
) -> None:
    url = f"sqlite+aiosqlite:///{redis_server.folder / 'nobody.db'}"
    await migrate(url)
    settings = Settings(auth="off", database_url=url, redis_url=redis_server.url)
    with redis_server.client() as admin:
        async with open_runtime(settings) as runtime:
            assert (await runtime.readiness.check()).redis == "ok"
            admin.replicaof("127.0.0.1", 1)
            try:
                assert (await runtime.readiness.check()).redis == "unavailable"
            finally:
                admin.replicaof("NO", "ONE")
            assert (await runtime.readiness.check()).redis == "ok"


async def test_the_probe_of_redis_leaves_nothing(
    redis_server: ValkeyServer, redis_url: str
) -> None:
    redis = connect(redis_url)
    await probe(redis, "queue")
    await redis.aclose(close_connection_pool=True)
    assert redis_server.size() == 0


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
