"""Who counts on is alive: a watcher's own monotonic time, and nobody's wall clock.

The holder of a lease adds one to a counter again and again, at least once in a fifth of the lease.
A watcher that saw the counter stand still for a lease may take over, by a write that names what it
saw. It counts from when it saw the counter first, so the holder, which counts from before it asked
for a renewal, has given up by then.
"""

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")


class Watch(Generic[K]):
    """What one watcher has seen of some counters.

    A watcher that heard nothing for half a lease begins anew: it or the database stood still, so
    that others may not have been able to count either.

    Args:
        lease: seconds.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._heard: float | None = None
        self._seen: dict[K, tuple[int, float]] = {}

    def heard(self, now: float) -> None:
        """Note that the database answers, by monotonic time in seconds."""
        if not self._is_awake(now):
            self._seen.clear()
        self._heard = now

    def saw(self, counters: Mapping[K, int], now: float) -> None:
        """Note what some counters say now."""
        self.heard(now)
        for key, count in counters.items():
            known = self._seen.get(key)
            if known is None or known[0] != count:
                self._seen[key] = count, now

    def keep(self, keys: Collection[K]) -> None:
        """Forget all other counters."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}

    def still(self, now: float) -> dict[K, int]:
        """Return the counters that stood still for a lease, and what they say."""
        return self.unchanged(self._lease, now)

    def unchanged(self, seconds: float, now: float) -> dict[K, int]:
        """Return the counters that have not changed for so long, and what they say."""
        if not self._is_awake(now):
            return {}
        return {key: count for key, (count, at) in self._seen.items() if now - at >= seconds}

    def next(self, now: float) -> float | None:
        """Return in how many seconds a counter will have stood still for a lease, if none moves."""
        if not self._is_awake(now):
            return None
        left = [at + self._lease - now for _, at in self._seen.values()]
        return max(0.0, min(left)) if left else None

    def _is_awake(self, now: float) -> bool:
        return self._heard is not None and now - self._heard <= self._lease / 2
