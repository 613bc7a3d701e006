"""Other applications on the same Redis keep what is theirs, an older taskq among them."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
import redis
from arq.connections import ArqRedis, RedisSettings, create_pool

from taskq_server.broker.connection import decode, encode
from tests.integration.engine.calls import get, submit
from tests.support.processes import ROOT
from tests.support.stack import NewStack, Stack
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

KINDS = pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


@pytest.fixture
def shared() -> Iterator[ValkeyServer]:
    """A Valkey for more than one application."""
    with ValkeyServer() as server:
        yield server


def start(new_stack: NewStack, kind: Any, url: str, **settings: str) -> Stack:
    """A stack whose API and worker have this URL of a Redis."""
    return new_stack(kind, settings={"TASKQ_REDIS_URL": url, **settings})


def run_through(stack: Stack) -> None:
    """Submit, wait, retry, cancel while it runs, schedule."""
    assert get(stack, submit(stack, "taskq.echo", {"value": 1}), wait=60)["status"] == "succeeded"
    flaky = submit(stack, "taskq.flaky", {"failures": 1}, backoff_base_seconds=0.01)
    assert get(stack, flaky, wait=60)["status"] == "succeeded"
    running = submit(stack, "taskq.sleep", {"seconds": 60})
    wait_until(lambda: get(stack, running)["status"] == "running", 180, "it runs")
    httpx.post(f"{stack.api_url}/tasks/{running}/cancel", timeout=180).raise_for_status()
    assert get(stack, running, wait=60)["status"] == "cancelled"
    assert httpx.get(f"{stack.api_url}/readyz", timeout=180).json()["redis"] == "ok"
    later = submit(stack, "taskq.echo", {"value": 2}, delay_seconds=0.3)
    assert get(stack, later, wait=60)["status"] == "succeeded"


def contents(client: redis.Redis, pattern: str) -> dict[str, bytes]:
    """All keys of a pattern, with what is in them."""
    return {name: cast(bytes, client.dump(name)) for name in client.scan_iter(match=pattern)}


@asynccontextmanager
async def arq_on(server: ValkeyServer, **options: Any) -> AsyncIterator[ArqRedis]:
    """A stock arq client."""
    pool = await create_pool(RedisSettings(port=server.port), **options)
    try:
        yield pool
    finally:
        await pool.aclose(close_connection_pool=True)


@KINDS
@pytest.mark.anyio
async def test_the_jobs_of_a_stock_arq_application_stay(
    new_stack: NewStack, kind: Any, shared: ValkeyServer
) -> None:
    stack = start(new_stack, kind, shared.url, TASKQ_QUEUES="default,mail")
    async with arq_on(shared) as arq:
        for number in range(20):
            assert await arq.enqueue_job("send_invoice", number)
            assert await arq.enqueue_job("send_mail", number, _queue_name="arq:queue:mail")
        for odd in ("in-progress", "retry", "result"):
            await arq.set(f"arq:{odd}:theirs", b"1")
        await arq.set("arq:queue:health-check", b"1")
        with redis.Redis.from_url(shared.url) as raw:
            theirs = contents(raw, "arq:*")
            run_through(stack)
            mail = submit(stack, "taskq.echo", {"value": 1}, queue="mail")
            assert get(stack, mail, wait=60)["status"] == "succeeded"
            assert contents(raw, "arq:*") == theirs
            stack.stop_worker()
            assert contents(raw, "arq:*") == theirs
            assert {name.partition(b":")[0] for name in raw.scan_iter()} <= {b"arq", b"{taskq"}
        assert len(await arq.queued_jobs()) == 20


@KINDS
@pytest.mark.anyio
async def test_the_least_rights_that_the_documents_name_are_enough(
    new_stack: NewStack, kind: Any, shared: ValkeyServer
) -> None:
    (rule,) = re.findall(r"^ *(ACL SETUSER taskq .*)$", DEPLOY, re.MULTILINE)
    with shared.client() as client:
        client.execute_command(*rule.split())
        client.execute_command("ACL", "LOG", "RESET")
        url = shared.url.replace("redis://", "redis://taskq:secret@")
        stack = start(new_stack, kind, url, TASKQ_JANITOR_SECONDS="0.2")
        run_through(stack)
        queue = stack.names.queue("default", "default")
        task_id = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=60)
        async with arq_on(shared, job_serializer=encode, job_deserializer=decode) as arq:
            await arq.enqueue_job("execute_task", task_id, 1, _queue_name=queue)
        wait_until(lambda: not client.keys("arq:job:*"), 180, "the job is read")
        stack.stop_worker()
        assert cast(list[object], client.execute_command("ACL", "LOG")) == []
    assert "Redis is away" not in str(stack.logs())


def test_bells_that_lie_under_the_old_name_stay_and_their_tasks_run(new_stack: NewStack) -> None:
    """An API of the version before rings where no worker of this one listens."""
    stack = new_stack("mariadb")
    assert stack.redis is not None
    stack.stop_worker()
    ids = [submit(stack, "taskq.echo", {"value": number}) for number in range(3)]
    with stack.redis.client() as client:
        wait_until(lambda: bool(client.keys("{taskq:*")), 180, "the doorbells have been rung")
        client.flushall()
        old = {f"{task_id}:1": 1 for task_id in ids}
        client.zadd("arq:queue", old)
        stack.start_worker()
        for task_id in ids:
            assert get(stack, task_id, wait=60)["status"] == "succeeded"
        assert set(cast(list[str], client.zrange("arq:queue", 0, -1))) == set(old)
        assert client.keys("*") == ["arq:queue"]
