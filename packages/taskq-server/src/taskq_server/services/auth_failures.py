"""Slow down addresses that send many wrong keys. Nobody guesses a key; this keeps logs readable."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from taskq_server.domain.errors import RateLimited

_SECONDS = 60.0
_MOST_COUNTED = 10_000


@dataclass(slots=True)
class _Minute:
    began: float
    failures: int = 0


class AuthFailures:
    """Count the requests with a key that opens nothing, by address, in memory.

    Args:
        most: most such requests of an address in a minute.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._minutes: OrderedDict[str, _Minute] = OrderedDict()

    def count(self, address: str) -> None:
        """Count a failure.

        Args:
            address: or the network of addresses that count as one.

        Raises:
            RateLimited: there were too many in this minute, which began with the first one.
        """
        now = self._monotonic()
        minute = self._minutes.get(address)
        if minute is None or now - minute.began >= _SECONDS:
            self._minutes[address] = minute = _Minute(now)
            self._minutes.move_to_end(address)
            while len(self._minutes) > _MOST_COUNTED:
                self._minutes.popitem(last=False)
        minute.failures += 1
        if minute.failures > self._most:
            raise RateLimited(
                "too many requests with keys that open nothing came from this address",
                retry_after=max(1, ceil(minute.began + _SECONDS - now)),
            )
