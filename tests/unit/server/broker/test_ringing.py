"""What is rung and told, in a real Valkey: under the name of each task's namespace and queue."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from redis.asyncio.client import PubSub

from taskq_server.broker.connection import Redis, connect
from taskq_server.broker.dispatcher import Dispatcher, doorbell
from taskq_server.broker.names import Names, Naming
from taskq_server.broker.notifier import read_ids
from taskq_server.broker.sender import Sender
from taskq_server.core.config import Settings
from taskq_server.domain.admission import ClaimRequest, Gate, NotNow, due_of
from taskq_server.domain.caller import Caller
from taskq_server.domain.task import Queue, Status, Task, score
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.reports import Report
from tests.support.callers import CALLER
from tests.unit.server.factories import WORKER, make_task, seconds, store

PLACES = [("default", "default"), ("default", "slow"), ("theirs", "default")]


@pytest.fixture
async def ringing(url: str, redis_url: str) -> AsyncIterator[Runtime]:
    """All that a process works with, on SQLite and with a Redis."""
    async with open_runtime(Settings(database_url=url, redis_url=redis_url)) as opened:
        yield opened


def names_of(runtime: Runtime) -> Names:
    assert runtime.naming.names is not None, "they are known as soon as the runtime is open"
    return runtime.naming.names


def redis_of(runtime: Runtime) -> Redis:
    assert runtime.redis is not None
    return runtime.redis


async def heard(subscription: PubSub, count: int) -> list[tuple[str, bytes]]:
    """The next messages, with their channels."""
    found: list[tuple[str, bytes]] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=5)
            if message is not None:
                found.append((message["channel"].decode(), message["data"]))
    return found


def in_each_place(runtime: Runtime) -> list[Task]:
    long_ago = runtime.clock() - seconds(60)
    return [
        make_task(namespace=namespace, queue=queue, created_at=long_ago)
        for namespace, queue in PLACES
    ]


async def check_rung(runtime: Runtime, subscription: PubSub, tasks: list[Task]) -> None:
    """Each task has its doorbell in its own queue, and the workers of that queue were woken."""
    names = names_of(runtime)
    told = await heard(subscription, len(tasks))
    assert sorted(told) == sorted((names.ring(task.namespace, task.queue), b"") for task in tasks)
    keys = [names.queue(task.namespace, task.queue) for task in tasks]
    assert sorted(await redis_of(runtime).keys("*")) == sorted(key.encode() for key in keys)
    for task, key in zip(tasks, keys, strict=True):
        bells = await redis_of(runtime).zrange(key, 0, -1, withscores=True)
        assert bells == [(f"{task.id}:1".encode(), task.score)]


async def test_a_doorbell_lies_in_the_queue_of_its_task(ringing: Runtime) -> None:
    tasks = in_each_place(ringing)
    async with redis_of(ringing).pubsub() as subscription:
        await subscription.subscribe(
            *{names_of(ringing).ring(task.namespace, task.queue) for task in tasks}
        )
        ringing.dispatcher.ring([doorbell(task) for task in tasks])
        await check_rung(ringing, subscription, tasks)


async def test_the_janitor_rings_in_the_queue_of_each_task(ringing: Runtime) -> None:
    tasks = [task for task in in_each_place(ringing) if task.queue == "default"]
    await store(ringing.database, *tasks)
    attempts = ringing.attempts(has_failure_hooks=False)
    maintenance = Maintenance(ringing.database, ringing.clock, attempts, ringing.dispatcher)
    async with redis_of(ringing).pubsub() as subscription:
        await subscription.subscribe(
            *{names_of(ringing).ring(task.namespace, task.queue) for task in tasks}
        )
        for task in tasks:
            queue = Queue(task.namespace, task.queue)
            staged = await maintenance.stage(queue, ["taskq.echo"], head=None, settled=seconds(2))
            assert [one.task_id for one in staged] == [task.id]
        await check_rung(ringing, subscription, tasks)


@pytest.mark.parametrize("scheduled", [False, True])
async def test_what_finds_no_thread_is_rung_for_aside(ringing: Runtime, scheduled: bool) -> None:
    """At its place in the queue: it is due."""
    task = in_each_place(ringing)[1]
    if scheduled:
        due = task.created_at + seconds(30)
        task = task._replace(run_at=due, score=score(due, task.priority))
    await store(ringing.database, task)
    aside = names_of(ringing).aside(task.namespace, task.queue)
    async with redis_of(ringing).pubsub() as subscription:
        await subscription.subscribe(names_of(ringing).ring(task.namespace, task.queue))
        can = frozenset([task.handler])
        ask = ClaimRequest(
            task_id=task.id,
            attempt=1,
            worker_id=WORKER,
            namespaces=frozenset({"default"}),
            handlers=can,
            quarantine_room=lambda: 0,
            sync=can,
            threads=lambda _: 0,
        )
        answer = await ringing.attempts(has_failure_hooks=False).claim(ask)
        assert answer == NotNow(Gate.THREAD, due_of(task))
        assert len(await heard(subscription, 1)) == 1, "workers with threads are woken"
        bells = await redis_of(ringing).zrange(aside, 0, -1, withscores=True)
    assert bells == [(f"{task.id}:1".encode(), task.score)]
    assert await redis_of(ringing).keys("*") == [aside.encode()]


async def test_a_bell_that_a_paused_queue_has_spent_is_rung_again(ringing: Runtime) -> None:
    task = make_task(queue="slow")
    await store(ringing.database, task)
    await ringing.queues.pause(CALLER, "slow")
    ask = ClaimRequest(
        task_id=task.id,
        attempt=1,
        worker_id=WORKER,
        namespaces=frozenset({"default"}),
        handlers=frozenset([task.handler]),
        quarantine_room=lambda: 0,
    )
    key = names_of(ringing).queue("default", "slow")
    async with redis_of(ringing).pubsub() as subscription:
        await subscription.subscribe(names_of(ringing).ring("default", "slow"))
        answer = await ringing.attempts(has_failure_hooks=False).claim(ask)
        assert answer == NotNow(Gate.QUEUE, due_of(task))
        await heard(subscription, 1)
    bells = await redis_of(ringing).zrange(key, 0, -1, withscores=True)
    assert bells == [(f"{task.id}:1".encode(), task.score)]


async def test_pauses_and_resumes_are_told_to_the_namespace_of_the_queue(ringing: Runtime) -> None:
    names = names_of(ringing)
    async with redis_of(ringing).pubsub() as subscription:
        await subscription.subscribe(names.queues("default"), names.queues("theirs"))
        await ringing.queues.pause(CALLER, "slow")
        await ringing.queues.resume(Caller("theirs"), "a/b")
        told = dict(await heard(subscription, 2))
    assert told == {names.queues("default"): b"slow", names.queues("theirs"): b"a/b"}


async def test_news_go_to_the_namespace_of_the_task(ringing: Runtime) -> None:
    names = names_of(ringing)
    ours, theirs = UUID(int=1), UUID(int=2)
    spaces = ("default", "theirs")
    channels = [call(space) for space in spaces for call in (names.changed, names.cancel)]
    async with redis_of(ringing).pubsub() as subscription:
        await subscription.subscribe(*channels)
        ringing.notifier.changed([("default", ours), ("theirs", theirs), ("default", theirs)])
        ringing.notifier.cancel([("theirs", ours)])
        told = {channel: read_ids(data) for channel, data in await heard(subscription, 3)}
    assert told == {
        names.changed("default"): [ours, theirs],
        names.changed("theirs"): [theirs],
        names.cancel("theirs"): [ours],
    }


async def test_what_a_worker_ends_and_reports_is_told_to_the_namespace_of_the_task(
    ringing: Runtime,
) -> None:
    """A worker runs tasks of all namespaces."""
    task = make_task(Status.RUNNING, namespace="theirs")
    await store(ringing.database, task)
    attempts = ringing.attempts(has_failure_hooks=False)
    async with redis_of(ringing).pubsub() as subscription:
        await subscription.subscribe(names_of(ringing).changed("theirs"))
        await attempts.report(Report(task_id=task.id, attempt=1, worker_id=WORKER, progress="{}"))
        assert [read_ids(data) for _, data in await heard(subscription, 1)] == [[task.id]]
        await attempts.rescue([task.id], lambda _: True)
        assert [read_ids(data) for _, data in await heard(subscription, 1)] == [[task.id]]


async def test_until_the_names_are_known_nothing_is_sent(redis_url: str) -> None:
    redis, naming = connect(redis_url), Naming()
    send = Sender(redis, naming)
    dispatcher = Dispatcher(send)
    dispatcher.ring([doorbell(make_task())])
    await send.close()
    naming.tell(Names("taskq", "1"))
    dispatcher.ring([doorbell(make_task())])
    await send.close()
    (key,) = await redis.keys("*")
    assert key == b"{taskq:1}:default:queue:default"
    assert await redis.zcard(key) == 1
    await redis.aclose(close_connection_pool=True)
