"""Send commands to Redis in the background; no caller waits for them."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from arq.connections import ArqRedis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from taskq_server.broker.connection import REPLY_SECONDS, OutageLog, write
from taskq_server.broker.names import Names, Naming
from taskq_server.core.log_context import about_group, apart

Item = TypeVar("Item")

Write = Callable[[Pipeline, Names, deque[Item]], object]
"""Adds the commands for some items to a pipeline."""

MOST_BUFFERED = 10_000
"""Most items of one kind that wait for a round trip; beyond that the oldest are dropped."""

_GROUP = "messages to Redis"


class Sender:
    """Send all waiting items in one round trip, in the background.

    Items that do not reach Redis are dropped, because the janitor rings again and waiters poll.

    Args:
        redis: None drops everything.
        naming: the names in Redis; until they are known, everything is dropped.
    """

    def __init__(self, redis: ArqRedis | None, naming: Naming) -> None:
        self._redis = redis
        self._naming = naming
        self._waiting: defaultdict[Write[Any], deque[Any]] = _empty()
        self._flushing: asyncio.Task[None] | None = None
        self._outage_log = None if redis is None else OutageLog(redis, "Redis takes no doorbells")

    def __call__(self, add: Write[Item], items: Iterable[Item]) -> None:
        """Queue items and return at once; one call of `add` gets all its waiting items."""
        names = self._naming.names
        if self._redis is None or names is None:
            return
        self._waiting[add].extend(items)
        if self._flushing is None:
            self._flushing = asyncio.create_task(
                self._flush(self._redis, names), context=apart(_GROUP)
            )

    async def close(self) -> None:
        """Wait until the commands on their way are sent."""
        if self._flushing is not None:
            await self._flushing

    async def _flush(self, redis: ArqRedis, names: Names) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, _empty()
                with about_group(_GROUP, sum(map(len, batch.values()))):
                    await self._send(redis, names, batch)
        finally:
            self._flushing = None

    async def _send(
        self, redis: ArqRedis, names: Names, batch: dict[Write[Any], deque[Any]]
    ) -> None:
        assert self._outage_log is not None

        async def send() -> None:
            async with redis.pipeline(transaction=False) as pipe:
                for add, items in batch.items():
                    add(pipe, names, items)
                await pipe.execute()

        try:
            async with asyncio.timeout(REPLY_SECONDS):
                await write(redis, send)
        except (RedisError, OSError, TimeoutError) as error:
            self._outage_log.fails(error)
        else:
            self._outage_log.works()


def _empty() -> defaultdict[Write[Any], deque[Any]]:
    return defaultdict(partial(deque, maxlen=MOST_BUFFERED))
