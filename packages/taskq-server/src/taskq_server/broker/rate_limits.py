"""Count the requests of each key in Redis, for all processes of a deployment together.

The library `limits` counts (a sliding window counter: two numbers a key, one script call). It is
imported when the first key with a limit comes, because that takes a while and most have none.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from taskq_server.broker.connection import Redis, address, failure_of, observer_of, write
from taskq_server.broker.names import Naming
from taskq_server.core.log_text import brief
from taskq_server.core.loop_timeout import LoopTimeout
from taskq_server.core.observer import NOBODY
from taskq_server.core.outages import outage
from taskq_server.domain.rate_limits import RateLimit, Window

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.storage import RedisStorage

_PATIENCE_SECONDS = 0.4
_ROUND_SECONDS = 0.05
_PAUSE_SECONDS = 1.0
_MOST_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class _Library:
    """What is used of the library, with a storage for this deployment."""

    storage: "RedisStorage"
    item: "Callable[[int, int, str], RateLimitItem]"


class RateCounter:
    """Count requests by key; while Redis is away or slow, all are let through.

    Args:
        redis: None lets all requests through.
        naming: the names in Redis; until they are known, all requests are let through.
        monotonic: a monotonic clock, in seconds.
        skipped: is called for each request that is let through without being counted.

    Attributes:
        unchecked: how many requests with a limit were let through without being counted.
    """

    def __init__(
        self,
        redis: Redis | None,
        naming: Naming,
        monotonic: Callable[[], float] = time.monotonic,
        skipped: Callable[[], None] = lambda: None,
    ) -> None:
        self.unchecked = 0
        self._redis = redis
        self._naming = naming
        self._monotonic = monotonic
        self._skipped = skipped
        self._observer = NOBODY if redis is None else observer_of(redis)
        self._library: _Library | None = None
        self._loading = asyncio.Lock()
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)  # each takes a connection
        self._ask_again_at = 0.0
        self._outage = outage(
            "requests are not counted, so none is beyond its key's rate limit",
            "" if redis is None else address(redis),
        )

    async def take(self, key_id: str, limit: RateLimit, requests: int) -> Window | None:
        """Count some requests of a key, or none of them.

        Args:
            key_id: of the key.
            limit: the most requests of the key.
            requests: at most as many as the limit allows in a window.

        Returns:
            None if they are counted, or Redis does not say; else what was counted before.
        """
        async with self._turns:
            why = self._reason_not_to_ask()
            if why is None:
                try:
                    return await self._ask(key_id, limit, requests)
                except (RedisError, OSError, TimeoutError) as error:
                    self._ask_again_at = self._monotonic() + _PAUSE_SECONDS
                    self._observer.redis_failed(failure_of(error))
                    why = brief(error)
        self.unchecked += 1
        self._skipped()
        self._outage.fails(f"{why}; {self.unchecked} since the start of this process")
        return None

    def _reason_not_to_ask(self) -> str | None:
        if self._redis is None:
            return "no Redis is configured"
        if self._naming.names is None:
            return "the names in Redis are not known yet"
        if self._monotonic() < self._ask_again_at:
            return "Redis did not answer a moment ago"
        return None

    async def _ask(self, key_id: str, limit: RateLimit, requests: int) -> Window | None:
        assert self._redis is not None
        if self._ask_again_at:  # this request finds out for those that come meanwhile
            self._ask_again_at = self._monotonic() + _PAUSE_SECONDS
        library = self._library or await self._load(self._redis)
        async with LoopTimeout(_PATIENCE_SECONDS, round_seconds=_ROUND_SECONDS):
            found = await self._count(library, self._redis, key_id, limit, requests)
        self._ask_again_at = 0.0
        self._outage.works()
        return found

    async def _count(
        self, library: _Library, redis: Redis, key_id: str, limit: RateLimit, requests: int
    ) -> Window | None:
        item = library.item(limit.requests, limit.seconds, "key")
        key, seconds = item.key_for(key_id), item.get_expiry()
        acquire = library.storage.acquire_sliding_window_entry
        if await write(redis, lambda: acquire(key, item.amount, seconds, requests)):
            return None
        read = library.storage.get_sliding_window
        previous, _, current, current_ends = await write(redis, lambda: read(key, seconds))
        return Window(previous, current, max(0.0, current_ends - seconds))

    async def _load(self, redis: Redis) -> _Library:
        names = await self._naming.known()
        async with self._loading:
            if self._library is None:
                self._library = await asyncio.to_thread(_library, redis, names.rates)
            return self._library


def _library(redis: Redis, prefix: str) -> _Library:
    from limits import RateLimitItemPerSecond
    from limits.aio.storage import RedisStorage

    pool: Any = redis.connection_pool  # the library's type has only texts and numbers
    storage = RedisStorage(
        "redis://", implementation="redispy", key_prefix=prefix, connection_pool=pool
    )
    return _Library(storage, RateLimitItemPerSecond)
