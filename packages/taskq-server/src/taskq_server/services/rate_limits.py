"""Hold each key to its rate limit."""

from taskq_server.broker.rate_limits import RateCounter
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import FieldError, QuotaExceeded, RateLimited
from taskq_server.domain.rate_limits import RateLimit, remaining, wait_seconds


class RateLimits:
    """The rate limits of keys; callers without a key have none.

    Args:
        counter: counts the requests of all processes.
        default: the limit of keys that have none of their own, such as `600/minute`.
    """

    def __init__(self, counter: RateCounter, default: str | None) -> None:
        self._counter = counter
        self._default = None if default is None else RateLimit.parse(default)

    @property
    def unchecked(self) -> int:
        """How many requests this process has let through without counting them."""
        return self._counter.unchecked

    async def take(self, caller: Caller) -> None:
        """Count a request.

        Raises:
            RateLimited: the key has sent too many.
        """
        limit = caller.rate_limit or self._default
        if limit is not None and caller.key_id is not None:
            await self._take(caller.key_id, limit, 1, needed=1)

    async def take_batch(self, caller: Caller, items: int) -> None:
        """Count the tasks of a batch; the request itself, which is counted already, is the first.

        Raises:
            RateLimited: the key has sent too many.
            QuotaExceeded: the key may never send so many at once.
        """
        limit = caller.rate_limit or self._default
        if limit is None or caller.key_id is None:
            return
        if items > limit.requests:
            detail = (
                f"the batch has {items} tasks, and the rate limit of the key is {limit}: send "
                f"batches of at most {limit.requests}"
            )
            raise QuotaExceeded(detail, [FieldError("/items", "quota-exceeded", detail)])
        if items > 1:
            await self._take(caller.key_id, limit, items - 1, needed=items)

    async def _take(self, key_id: str, limit: RateLimit, requests: int, *, needed: int) -> None:
        counted = await self._counter.take(key_id, limit, requests)
        if counted is not None:
            raise RateLimited(
                f"the rate limit of the key is {limit}",
                retry_after=wait_seconds(limit, counted, needed),
                limit=limit,
                remaining=remaining(limit, counted),
            )
