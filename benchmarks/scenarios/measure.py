"""Rates and percentiles."""

import math
import time
from collections.abc import Sequence

from benchmarks.peers.base import Queue, RoundTrip

Numbers = dict[str, float]
_LONGEST = 600.0


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def drain_rate(peer: Queue, count: int) -> float:
    """Tasks a second from the first one seen done to the last; the worker's start is left out."""
    peer.wait(lambda: peer.done() > 0, 60, "first task done")
    first, start = peer.done(), time.perf_counter()
    with peer.measuring(count - first):
        peer.wait(lambda: peer.done() >= count, _LONGEST, f"{count} tasks done")
        seconds = time.perf_counter() - start
    return (count - first) / seconds


def latencies(once: RoundTrip, samples: int) -> list[float]:
    """Seconds of each round trip, with a short rest between two."""
    found = []
    for _ in range(samples):
        start = time.perf_counter()
        once()
        found.append(time.perf_counter() - start)
        time.sleep(0.005)
    return found
