"""arq at its best: a short poll, many jobs, no results."""

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from arq.connections import ArqRedis, RedisSettings, create_pool

from benchmarks.peers.base import Queue, RoundTrip

_QUEUE = "arq:queue"


async def noop(ctx: dict[str, Any], n: int) -> int:
    return n


class WorkerSettings:
    """Settings of the worker; `keep_result` is 0 unless a round needs results."""

    functions: ClassVar[list[Any]] = [noop]
    redis_settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://"))
    max_jobs = 100
    queue_read_limit = 1_000
    poll_delay = 0.01
    keep_result = int(os.environ.get("KEEP_RESULT", "0"))


class Arq(Queue):
    """Nothing in it is durable."""

    name = "arq"

    def prepare(self) -> None:
        self.servers.valkey.flush()
        self._keep = 0
        self._queued = 0
        self._redis = self.stack.enter_context(self.servers.valkey.client())

    @property
    def environment(self) -> Mapping[str, str]:
        return {"REDIS_URL": self.servers.valkey.url, "KEEP_RESULT": str(self._keep)}

    def start_worker(self) -> None:
        self.run(["arq", "benchmarks.peers.arq.WorkerSettings"])

    def fill(self, count: int) -> float:
        self._queued = count
        return asyncio.run(self._fill(count))

    def done(self) -> int:
        left: Any = self._redis.zcard(_QUEUE)
        return self._queued - int(left)

    def round_trip(self) -> RoundTrip:
        self._keep = 60
        self.start_worker()
        runner = self.stack.enter_context(asyncio.Runner())
        redis = runner.run(self._connect())
        self.stack.callback(lambda: runner.run(redis.aclose()))
        return lambda: runner.run(_once(redis))

    async def _connect(self) -> ArqRedis:
        return await create_pool(RedisSettings.from_dsn(self.servers.valkey.url))

    async def _fill(self, count: int) -> float:
        redis = await self._connect()
        start = time.perf_counter()
        for first in range(0, count, 500):
            numbers = range(first, min(first + 500, count))
            await asyncio.gather(*(redis.enqueue_job("noop", n) for n in numbers))
        seconds = time.perf_counter() - start
        await redis.aclose()
        return seconds


async def _once(redis: ArqRedis) -> object:
    job = await redis.enqueue_job("noop", 1)
    assert job is not None
    return await job.result(timeout=10, poll_delay=0.002)
