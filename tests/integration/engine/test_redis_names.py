"""Two of anything on one Redis do not hear each other: databases, prefixes, namespaces, queues."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from taskq_server import migrations
from taskq_server.broker.names import Names
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.runtime import open_runtime
from tests.integration.engine.calls import get, submit
from tests.support.mariadb import MariaDBServer
from tests.support.processes import ApiProcess
from tests.support.stack import NewStack, Stack
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

PATIENT = {
    "TASKQ_JANITOR_SECONDS": "60",
    "TASKQ_POLL_SECONDS": "10",
    "TASKQ_WAIT_POLL_SECONDS": "30",
}
"""Only what Redis says leads to a task and to its end."""


@contextmanager
def client_of(stack: Stack) -> Iterator["redis.Redis"]:
    assert stack.redis_url is not None
    with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        yield client


def channels(client: "redis.Redis") -> set[str]:
    return set(cast(list[str], client.pubsub_channels()))


def _of_default(names: Names) -> set[str]:
    """The channels of an API and a worker of one namespace and one queue."""
    calls = (names.changed, names.cancel, names.queues)
    return {names.ring("default", "default"), *(call("default") for call in calls)}


def test_a_ring_wakes_the_workers_of_its_queue_only(new_stack: NewStack) -> None:
    """A worker that hears no ring of its own would look ten seconds later."""
    stack = new_stack("mariadb", settings={**PATIENT, "TASKQ_QUEUES": "mails,default"})
    names = stack.names
    other = names.ring("default", "videos")
    with client_of(stack) as client, client.pubsub() as heard:
        mine = {names.ring("default", queue) for queue in ("mails", "default")}
        wait_until(lambda: mine <= channels(client), 180, "the worker listens")
        assert client.publish(other, "") == 0, "it does not listen to what it does not serve"
        heard.subscribe(other)
        assert heard.get_message(timeout=60) is not None
        left = submit(stack, "taskq.echo", {"value": 1}, queue="videos")
        told = heard.get_message(timeout=60)
        assert told is not None
        assert told["channel"] == other
        for queue in ("mails", "default"):
            task = get(stack, submit(stack, "taskq.echo", {"value": 1}, queue=queue), wait=60)
            assert task["status"] == "succeeded"
            waited = _moment(task["started_at"]) - _moment(task["created_at"])
            assert waited < timedelta(seconds=5), "alone it takes milliseconds"
        assert get(stack, left)["status"] == "queued"


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)


def test_two_databases_on_one_redis(new_stack: NewStack) -> None:
    one = new_stack("mariadb", settings=PATIENT)
    assert one.redis is not None
    other = new_stack("sqlite", settings={**PATIENT, "TASKQ_REDIS_URL": one.redis.url})
    assert one.names != other.names
    one.stop_worker()
    waiting = [submit(one, "taskq.echo", {"value": number}) for number in range(5)]
    mine = one.names.queue("default", "default")
    with client_of(one) as client:
        wait_until(lambda: client.zcard(mine) == 5, 180, "the doorbells have been rung")
        for number in range(5):
            task_id = submit(other, "taskq.echo", {"value": number})
            assert get(other, task_id, wait=60)["status"] == "succeeded"
        assert client.zcard(mine) == 5, "the other worker takes nothing"
        heard = channels(client)
        assert {one.names.changed("default"), other.names.changed("default")} <= heard
        assert client.pubsub_numsub(*heard) == [(name, 1) for name in heard]
    one.start_worker(PATIENT)
    assert [get(one, task_id, wait=60)["status"] for task_id in waiting] == ["succeeded"] * 5


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_every_name_begins_with_the_prefix(new_stack: NewStack, kind: Any, redis_url: str) -> None:
    prefix = {"TASKQ_REDIS_PREFIX": "shop:2-b", "TASKQ_REDIS_URL": redis_url}
    stack = new_stack(kind, settings={**PATIENT, **prefix})
    assert get(stack, submit(stack, "taskq.echo", {"value": 1}), wait=60)["status"] == "succeeded"
    submit(stack, "taskq.echo", {"value": 1}, delay_seconds=60)
    with client_of(stack) as client:
        tag = f"{{shop:2-b:{stack.names.deployment}}}:"
        wait_until(lambda: bool(client.keys("*")), 180, "the doorbell has been rung")
        assert all(name.startswith(tag) for name in cast(list[str], client.keys("*")))
        own = {f"{tag}default:{name}" for name in ("ring:default", "changed", "cancel", "queues")}
        assert channels(client) == {*own, f"{tag}keys", f"{tag}sessions"}


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_odd_namespaces_and_queues(new_stack: NewStack, kind: Any, redis_url: str) -> None:
    odd = {"TASKQ_NAMESPACE": "é{a}:queue:%/*", "TASKQ_QUEUES": "b:queue:c/d,plain"}
    stack = new_stack(kind, settings={**PATIENT, **odd, "TASKQ_REDIS_URL": redis_url})
    for queue in ("b:queue:c/d", "plain"):
        task_id = submit(stack, "taskq.echo", {"value": 1}, queue=queue)
        assert get(stack, task_id, wait=60)["status"] == "succeeded"


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_new_deployment_gets_new_names(new_stack: NewStack, kind: Any, redis_url: str) -> None:
    stack = new_stack(kind, settings={**PATIENT, "TASKQ_REDIS_URL": redis_url})
    old = stack.names
    stack.stop_worker()
    said = stack.command("db", "new-deployment").strip()
    new = Names("taskq", said)
    assert re.fullmatch(r"[0-9a-f]{16}", said)
    assert said != old.deployment
    assert stack.command("db", "deployment").strip() == said
    if kind == "mariadb":
        stack.stop_api()
        stack.start_api()
    stack.start_worker(PATIENT)
    assert get(stack, submit(stack, "taskq.echo", {"value": 1}), wait=60)["status"] == "succeeded"
    with client_of(stack) as client:
        own = _of_default(new)
        assert channels(client) == {*own, new.keys, new.sessions}


async def test_a_schema_without_deployment_is_asked_until_there_is_one(
    database_url: str, redis_server: ValkeyServer, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(database_url)
    await migrations.upgrade(database, "0003")
    settings = Settings(database_url=database_url, redis_url=redis_url)
    with redis_server.client() as client:
        async with open_runtime(settings) as runtime:
            assert runtime.naming.names is None
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.5):
                    await runtime.naming.known()
            said = [one.message for one in caplog.records if "deployment" in one.message]
            assert len(said) == 1
            assert "taskq-server db upgrade" in said[0]
            assert channels(client) == set()
            await migrations.upgrade(database)
            async with asyncio.timeout(60):
                names = await runtime.naming.known()
            heard = {names.changed("default"), names.keys, names.sessions}
            await asyncio.to_thread(wait_until, lambda: channels(client) == heard, 5, "it listens")
    await database.close()


def test_processes_start_while_the_database_is_away(tmp_path: Path) -> None:
    """They ring and listen once it has come, and lose nothing of what is committed right then."""
    with MariaDBServer() as mariadb, Stack("mariadb", mariadb=mariadb, settings=PATIENT) as stack:
        names = stack.names
        stack.stop_worker()
        stack.stop_api()
        mariadb.kill()
        stack.start_worker()
        settings = {
            **PATIENT,
            "TASKQ_DATABASE_URL": stack.database_url,
            "TASKQ_REDIS_URL": stack.redis_url or "",
        }
        port = int(stack.api_url.rpartition(":")[2])
        api = ApiProcess(["api"], settings, tmp_path / "api.log", port)
        try:
            wait_until(lambda: "does not answer" in api.output(), 180, "the API has asked")
            wait_until(
                lambda: "does not answer" in stack.workers[0].output(), 180, "and the worker"
            )
            with client_of(stack) as client:
                assert channels(client) == set()
                mariadb.start()
                api.wait_ready()
                own = _of_default(names)
                heard = {*own, names.keys, names.sessions}
                wait_until(lambda: channels(client) == heard, 180, "both listen")
                task_id = submit(stack, "taskq.echo", {"value": 1})
                assert get(stack, task_id, wait=60)["status"] == "succeeded"
                assert client.keys("*") == []
        finally:
            api.stop()
