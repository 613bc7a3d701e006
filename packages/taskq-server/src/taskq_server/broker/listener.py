"""One subscription of this process to Redis, which reconnects by itself."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from arq.connections import ArqRedis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from taskq_server.broker.connection import OutageLog
from taskq_server.broker.unreadable import Unreadable, UnreadableMessages
from taskq_server.core.outages import SETTLED_SECONDS

_LONGEST_PAUSE = 2.0

Callback = Callable[[bytes], None]
"""Takes the data of a message, and may raise `Unreadable`."""


class Listener:
    """Call back for every message of some channels, which may change at any time.

    Args:
        callbacks: by channel, the first of them; there is always at least one channel.
        on_subscribed: called for each channel when Redis has begun to send its messages, also after
            a lost connection, because messages may have been missed until then.
    """

    def __init__(
        self,
        callbacks: Mapping[str, Callback],
        on_subscribed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._callbacks = dict(callbacks)
        self._on_subscribed = on_subscribed
        self._changed = asyncio.Event()

    def add(self, callbacks: Mapping[str, Callback]) -> None:
        """Listen to more channels, from soon on."""
        self._callbacks |= callbacks
        self._changed.set()

    def remove(self, channel: str) -> None:
        """Listen no more to a channel."""
        self._callbacks.pop(channel, None)
        self._changed.set()

    async def run(self, redis: ArqRedis, unreadable: UnreadableMessages) -> None:
        """Listen for ever; after a lost connection, connect again.

        Args:
            redis: the server.
            unreadable: takes the unreadable messages.
        """
        pause = 0.05
        outage_log = OutageLog(redis, "Redis lets nobody listen")
        while True:
            try:
                async with redis.pubsub() as subscription:
                    there = set(self._callbacks)
                    await subscription.subscribe(*there)
                    pause = 0.05
                    # Otherwise an idle process would not log that Redis is back.
                    asyncio.get_running_loop().call_later(2 * SETTLED_SECONDS, outage_log.works)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._follow(subscription, there))
                        group.create_task(self._receive(subscription, unreadable))
            except* (RedisError, OSError) as errors:
                outage_log.fails(_first(errors))
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _receive(self, subscription: PubSub, unreadable: UnreadableMessages) -> None:
        async for message in subscription.listen():
            self._take(message, unreadable)
            # A flood of messages must leave turns to the other tasks of the event loop.
            await asyncio.sleep(0)
        raise ConnectionError("the subscription has ended")

    def _take(self, message: Mapping[str, Any], unreadable: UnreadableMessages) -> None:
        channel = message["channel"].decode()
        match message["type"]:
            case "subscribe":
                self._on_subscribed(channel)
            case "message" if channel in self._callbacks:
                try:
                    self._callbacks[channel](message["data"])
                except Unreadable:
                    unreadable.drop("a message", message["data"])

    async def _follow(self, subscription: PubSub, there: set[str]) -> None:
        """Bring the subscription in line with the channels that are wanted."""
        while True:
            self._changed.clear()
            wanted = set(self._callbacks)
            new, old = wanted - there, there - wanted
            if new:
                await subscription.subscribe(*new)
            if old:
                await subscription.unsubscribe(*old)
            there = wanted
            await self._changed.wait()


def _first(errors: BaseExceptionGroup[BaseException]) -> Exception:
    error = errors.exceptions[0]
    if isinstance(error, BaseExceptionGroup):
        return _first(error)
    assert isinstance(error, Exception)
    return error
