"""One process listens for the waiters of any namespace, and to no more than they wait for."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from taskq_server.broker import notifier as notifiers
from taskq_server.broker.names import Names
from taskq_server.core.config import Settings
from taskq_server.domain.caller import Caller
from taskq_server.domain.task import Status
from taskq_server.runtime import Runtime, open_runtime
from tests.support.namespaces import make_namespaces
from tests.unit.server.factories import make_task, store

ID = UUID(int=7)


@pytest.fixture
async def patient(url: str, redis_url: str) -> AsyncIterator[Runtime]:
    """A process that hears of changes from Redis alone."""
    settings = Settings(database_url=url, redis_url=redis_url, wait_poll_seconds=30)
    async with open_runtime(settings) as opened:
        await make_namespaces(opened.database, "theirs")
        yield opened


def names_of(runtime: Runtime) -> Names:
    assert runtime.naming.names is not None
    return runtime.naming.names


async def channels(runtime: Runtime) -> set[str]:
    assert runtime.redis is not None
    return {name.decode() for name in await runtime.redis.pubsub_channels("*:changed")}


async def until_heard(runtime: Runtime, *namespaces: str) -> None:
    expected = {names_of(runtime).changed(each) for each in namespaces}
    async with asyncio.timeout(30):
        while await channels(runtime) != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_wait_in_any_namespace_is_woken_at_once(patient: Runtime) -> None:
    task = make_task(namespace="theirs", created_at=patient.clock())
    await store(patient.database, task)
    caller = Caller("theirs")
    waiting = asyncio.create_task(patient.wait.one(caller, task.id, 25))
    await until_heard(patient, "default", "theirs")
    await patient.change.cancel(caller, task.id)
    async with asyncio.timeout(10):
        assert (await waiting).task.status is Status.CANCELLED


async def test_what_happens_before_redis_sends_is_not_missed(patient: Runtime) -> None:
    """The first waiter reads before the subscription is there, so it is told when it is."""
    await until_heard(patient, "default")
    with patient.notifier.subscribe("theirs", [ID]) as subscription:
        assert await subscription.news(10) == {ID}
        with patient.notifier.subscribe("theirs", [ID]) as second:
            patient.notifier.changed([("theirs", ID)])
            assert await second.news(10) == {ID}


async def test_namespaces_without_waiters_are_left_when_there_are_many(
    patient: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifiers, "_MOST_UNUSED", 2)
    notifier = patient.notifier
    with notifier.subscribe("a", [ID]):
        for name in ("b", "c", "d", "default", "e"):
            with notifier.subscribe(name, [ID]):
                await until_heard(patient, *{"default", "a", name, *kept(name)})
        await until_heard(patient, "default", "a", "e")
        with notifier.subscribe("b", [ID]) as again:
            assert await again.news(10) == {ID}


def kept(name: str) -> set[str]:
    """What was waited for before, of which the last two are still listened to."""
    return {"b": set(), "c": {"b"}, "d": {"b", "c"}, "default": {"c", "d"}, "e": {"d"}}[name]


async def test_waits_in_other_namespaces_survive_a_lost_connection(patient: Runtime) -> None:
    assert patient.redis is not None
    with patient.notifier.subscribe("theirs", [ID]) as subscription:
        assert await subscription.news(10) == {ID}
        await patient.redis.connection_pool.disconnect()
        assert await subscription.news(20) == {ID}, "something may have been missed"
        await until_heard(patient, "default", "theirs")
