"""What is no message of taskq's: dropped, told once a minute, and the subscription stays."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from taskq_server.broker.connection import Redis, connect
from taskq_server.broker.listener import Listener
from taskq_server.broker.notifier import Notifier, read_ids
from taskq_server.broker.sender import MOST_BUFFERED, Sender
from taskq_server.broker.unreadable import Unreadable, UnreadableMessages
from taskq_server.core.config import Settings
from taskq_server.runtime import open_runtime

ID = UUID(int=7)
CHANNEL = "changed"
ODD: dict[str, bytes] = {
    "nothing": b"",
    "bytes": b"\xff\xfe\x00",
    "half": b'["',
    "text": b'"7"',
    "number": b"7",
    "null": b"null",
    "object": b'{"a":1}',
    "no id": b'["x"]',
    "numbers": b"[7]",
    "nulls": b"[null]",
    "lists": b'[["00000000000000000000000000000007"]]',
    "one of them": f'["{ID.hex}",7]'.encode(),
    "deep": b"[" * 300_000,
    "endless number": b"[" + b"9" * 300_000 + b"]",
    "control characters": b"\x1b]0;pwned\x07\x1b[2J\nFAKE",
}
LONG = {
    "many ids": json.dumps(["0" * 32] * (MOST_BUFFERED + 1)).encode(),
    "20 MB": b"x" * 20_000_000,
    "a list of 20 MB": b"[" + b"7," * 10_000_000 + b"7]",
}


@pytest.mark.parametrize("name", [*ODD, *LONG])
def test_an_odd_message_is_unreadable(name: str) -> None:
    with pytest.raises(Unreadable):
        read_ids({**ODD, **LONG}[name])


def test_as_many_ids_as_a_sender_keeps_can_be_read() -> None:
    ids = [UUID(int=number) for number in range(MOST_BUFFERED)]
    assert read_ids(json.dumps([one.hex for one in ids]).encode()) == ids
    assert read_ids(b"[]") == []


def test_a_flood_is_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 1_000.0
    unreadable = UnreadableMessages(lambda: now)
    for second in range(150):
        now = 1_000.0 + second
        for _ in range(10):
            unreadable.drop("a message", b"\x1b[2J\n" + b"x" * 10_000)
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(": ")[1].split()[0] for line in lines] == ["1", "600", "600"]
    assert all(line.isprintable() and len(line) < 250 for line in lines)


@asynccontextmanager
async def listening(
    redis: Redis, callback: Callable[[bytes], None], unreadable: UnreadableMessages
) -> AsyncIterator[asyncio.Event]:
    """Listen to `CHANNEL`; the event is set with each (re)connection."""
    connected = asyncio.Event()
    listener = Listener({CHANNEL: callback}, lambda _: connected.set())
    task = asyncio.create_task(listener.run(redis, unreadable))
    try:
        async with asyncio.timeout(60):
            await connected.wait()
            yield connected
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose(close_connection_pool=True)


async def test_the_subscription_stays_and_nothing_else_is_missed(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    heard: asyncio.Queue[list[UUID]] = asyncio.Queue()

    def note(data: bytes) -> None:
        heard.put_nowait(read_ids(data))

    async with listening(redis, note, UnreadableMessages()) as connected:
        connected.clear()
        for odd in (*ODD.values(), *LONG.values()):
            real = uuid4()
            await redis.publish(CHANNEL, odd)
            await redis.publish(CHANNEL, json.dumps([real.hex]))
            assert await heard.get() == [real]
        assert not connected.is_set(), "there was one connection all the time"
    assert len(caplog.records) == 1


async def test_a_message_that_the_server_drops_us_for_is_survived(redis: Redis) -> None:
    """Valkey ends a subscription that has 32 MB to read."""
    heard = asyncio.Event()

    def note(data: bytes) -> None:
        if read_ids(data) == [ID]:
            heard.set()

    async with listening(redis, note, UnreadableMessages()):
        await redis.publish(CHANNEL, b"x" * 100_000_000)
        while not heard.is_set():
            await redis.publish(CHANNEL, json.dumps([ID.hex]))
            await asyncio.sleep(0.01)


async def test_others_have_their_turn_in_a_flood(redis: Redis) -> None:
    """What has arrived already is read without waiting for anything."""
    messages = 20_000
    heard = turns = 0
    done = asyncio.Event()

    def note(data: bytes) -> None:
        nonlocal heard
        heard += 1
        if heard == messages:
            done.set()
        raise Unreadable

    async def take_turns() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    async with listening(redis, note, UnreadableMessages()):
        others = asyncio.create_task(take_turns())
        async with redis.pipeline(transaction=False) as pipe:
            for _ in range(messages):
                pipe.publish(CHANNEL, b"x")
            await pipe.execute()
        await others
    assert turns > messages / 2


async def test_waiters_hear_the_truth_after_garbage(url: str, redis_url: str) -> None:
    """The whole way of a process: its own subscription, and what it tells."""
    async with open_runtime(Settings(database_url=url, redis_url=redis_url)) as runtime:
        assert runtime.redis is not None
        assert runtime.naming.names is not None
        channel = runtime.naming.names.changed("default")
        notifier: Notifier = runtime.notifier
        async with asyncio.timeout(60):
            while not await runtime.redis.publish(channel, b"garbage"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        with notifier.subscribe("default", [ID]) as subscription:
            for odd in ODD.values():
                await runtime.redis.publish(channel, odd)
            send = Sender(runtime.redis, runtime.naming)
            Notifier(send).changed([("default", ID)])
            assert await subscription.news(5) == {ID}
            await send.close()
