"""Celery on Redis, with results in Redis, tuned for short tasks as its documentation says."""

import gc
import os
import time
from collections.abc import Mapping
from typing import Any

from celery import Celery as App

from benchmarks.peers.base import Queue, RoundTrip


def make(url: str, *, results: bool = True) -> Any:
    """Make the application: no rate limits, no events, a large prefetch.

    A sender that wants results subscribes to each of them; one that does not is much faster.
    """
    made = App("bench", broker=f"{url}/0", backend=f"{url}/1" if results else None)
    made.conf.update(
        worker_prefetch_multiplier=64,
        worker_disable_rate_limits=True,
        worker_send_task_events=False,
        task_send_sent_event=False,
        broker_pool_limit=10,
    )
    return made


app = make(os.environ.get("BENCH_REDIS", "redis://"))


@app.task(name="noop")
def noop(n: int) -> int:
    return n


class Celery(Queue):
    """Prefork, one process for each core of two; not durable."""

    name = "celery"

    def prepare(self) -> None:
        self.servers.valkey.flush()
        self._app = make(self._url)
        self.stack.callback(self._app.close)
        self._results = self.stack.enter_context(self.servers.valkey.client())
        self._results.select(1)

    def __exit__(self, *_: object) -> None:
        gc.collect()  # results that outlive the server would try to reach it for minutes
        super().__exit__()

    @property
    def _url(self) -> str:
        return self.servers.valkey.url.rpartition("/")[0]

    @property
    def environment(self) -> Mapping[str, str]:
        return {"BENCH_REDIS": self._url}

    def start_worker(self) -> None:
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        options = ["--concurrency=2", "--loglevel=WARNING", *quiet]
        self.run(["celery", "-A", "benchmarks.peers.celery:app", "worker", *options])

    def fill(self, count: int) -> float:
        app = make(self._url, results=False)
        start = time.perf_counter()
        with app.producer_pool.acquire() as producer:
            for n in range(count):
                app.send_task("noop", (n,), producer=producer)
        seconds = time.perf_counter() - start
        app.close()
        return seconds

    def done(self) -> int:
        size: Any = self._results.dbsize()
        return int(size)

    def round_trip(self) -> RoundTrip:
        self.start_worker()
        return lambda: self._app.send_task("noop", (1,)).get(timeout=10)
