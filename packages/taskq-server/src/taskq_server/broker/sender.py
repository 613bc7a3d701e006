"""Commands to Redis that nobody waits for: buffered, sent together, lost when Redis is away."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from arq.connections import ArqRedis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from taskq_server.broker.connection import REPLY_SECONDS

Command = Callable[[Pipeline], object]

_MOST_BUFFERED = 10_000
_log = logging.getLogger("taskq.server.broker")


class Sender:
    """Send commands behind the caller's back, all that wait in one round trip.

    What does not reach Redis is dropped: the janitor rings again, and waiters poll.

    Args:
        redis: None drops everything.
    """

    def __init__(self, redis: ArqRedis | None) -> None:
        self._redis = redis
        self._waiting: deque[Command] = deque(maxlen=_MOST_BUFFERED)
        self._flushing: asyncio.Task[None] | None = None
        self._away = False

    def __call__(self, command: Command) -> None:
        """Queue a command and return at once."""
        if self._redis is None:
            return
        self._waiting.append(command)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush(self._redis))

    async def close(self) -> None:
        """Wait for what is on its way."""
        if self._flushing is not None:
            await self._flushing

    async def _flush(self, redis: ArqRedis) -> None:
        try:
            while self._waiting:
                batch = list(self._waiting)
                self._waiting.clear()
                await self._send(redis, batch)
        finally:
            self._flushing = None

    async def _send(self, redis: ArqRedis, batch: list[Command]) -> None:
        try:
            async with asyncio.timeout(REPLY_SECONDS), redis.pipeline(transaction=False) as pipe:
                for command in batch:
                    command(pipe)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            if not self._away:
                _log.warning("Redis is away, doorbells wait for the janitor: %s", error)
            self._away = True
        else:
            self._away = False
