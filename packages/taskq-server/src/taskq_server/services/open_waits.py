"""Limit the waits and streams that one key has open, because each of them holds a connection."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import RateLimited

_RETRY_SECONDS = 2


class OpenWaits:
    """The places of this process for requests that wait; callers without a key have no limit.

    Args:
        most: most places that one key takes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def of(self, key_id: str) -> int:
        """Return how many places a key takes now."""
        return self._open[key_id]

    @contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """Take a place for as long as the block runs.

        Raises:
            RateLimited: the key takes all its places.
        """
        key_id = caller.key_id
        if key_id is None:
            yield
            return
        if self._open[key_id] >= self._most:
            raise RateLimited(
                f"the key has {self._most} waits and streams open, as many as one may have",
                retry_after=_RETRY_SECONDS,
            )
        self._open[key_id] += 1
        try:
            yield
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]
