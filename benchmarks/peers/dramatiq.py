"""dramatiq on Redis, without results."""

import os
import time
from collections.abc import Mapping
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.peers.base import Queue, RoundTrip


def make(url: str) -> Any:
    """Make the broker and its actor, and return the actor."""
    broker = RedisBroker(url=url)
    broker.add_middleware(Results(backend=RedisBackend(url=url)))
    dramatiq.set_broker(broker)
    return dramatiq.actor(_noop, actor_name="noop", broker=broker, store_results=True)


def _noop(n: int) -> int:
    return n


if "BENCH_REDIS" in os.environ:
    noop = make(os.environ["BENCH_REDIS"])


class Dramatiq(Queue):
    """One process with 8 threads; not durable."""

    name = "dramatiq"

    def prepare(self) -> None:
        self.servers.valkey.flush()
        self._queued = 0
        self._actor = make(self.servers.valkey.url)
        self._redis = self.stack.enter_context(self.servers.valkey.client())

    @property
    def environment(self) -> Mapping[str, str]:
        return {"BENCH_REDIS": self.servers.valkey.url}

    def start_worker(self) -> None:
        self.run(["dramatiq", "benchmarks.peers.dramatiq", "--processes=1", "--threads=8"])

    def fill(self, count: int) -> float:
        self._queued = count
        start = time.perf_counter()
        for n in range(count):
            self._actor.send(n)
        return time.perf_counter() - start

    def done(self) -> int:
        left: Any = self._redis.hlen("dramatiq:default.msgs")
        return self._queued - int(left)

    def round_trip(self) -> RoundTrip:
        self.start_worker()
        return lambda: self._actor.send(1).get_result(block=True, timeout=10_000)
