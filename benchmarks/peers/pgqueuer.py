"""pgqueuer: durable, batched, on PostgreSQL; it keeps no result."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import ClassVar

import asyncpg
import psycopg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.peers.base import Queue, RoundTrip

_LOOK_SECONDS = 0.002


@asynccontextmanager
async def _driver(url: str) -> AsyncGenerator[AsyncpgDriver, None]:
    connection = await asyncpg.connect(url)
    try:
        yield AsyncpgDriver(connection)
    finally:
        await connection.close()


async def work(url: str, batch: int) -> None:
    """Run one worker, on uvloop as its own command line does."""
    async with _driver(url) as driver:
        queuer = PgQueuer(driver)

        @queuer.entrypoint("noop")
        async def noop(job: Job) -> None:
            return

        await queuer.run(batch_size=batch, dequeue_timeout=timedelta(seconds=30))


class PgQueuerPeer(Queue):
    """Durable as by default (every table logged), tuned for short jobs: large batches."""

    name = "pgqueuer"
    batch: ClassVar[int] = 100

    def prepare(self) -> None:
        self._url = self.stack.enter_context(self.servers.postgres.database())
        self._queued = 0
        self._sql = self.stack.enter_context(psycopg.connect(self._url, autocommit=True))
        uvloop.run(self._install())

    @property
    def environment(self) -> Mapping[str, str]:
        return {"BENCH_POSTGRES": self._url, "BENCH_BATCH": str(self.batch)}

    def start_worker(self) -> None:
        self.run(["benchmarks.peers.pgqueuer"])

    def fill(self, count: int) -> float:
        self._queued = count
        return uvloop.run(self._fill(count))

    def done(self) -> int:
        row = self._sql.execute("SELECT COUNT(*) FROM pgqueuer").fetchone()
        assert row is not None
        return self._queued - int(row[0])

    def round_trip(self) -> RoundTrip:
        self.start_worker()
        runner = self.stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        driver = runner.run(self._open())
        queries = Queries(driver)

        async def once() -> None:
            self._queued = 1
            await queries.enqueue("noop", b"1")
            while not self.done():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(_LOOK_SECONDS)

        return lambda: runner.run(once())

    async def _open(self) -> AsyncpgDriver:
        return AsyncpgDriver(await asyncpg.connect(self._url))

    async def _install(self) -> None:
        async with _driver(self._url) as driver:
            await Queries(driver).install()
            await Queries(driver).optimize_autovacuum()

    async def _fill(self, count: int) -> float:
        async with _driver(self._url) as driver:
            queries = Queries(driver)
            start = time.perf_counter()
            for first in range(0, count, 10_000):
                size = min(10_000, count - first)
                payloads: list[bytes | None] = [b"%d" % (first + n) for n in range(size)]
                await queries.enqueue(["noop"] * size, payloads, [0] * size)
            return time.perf_counter() - start


class PgQueuerDefault(PgQueuerPeer):
    """The same in batches of 10, as it comes."""

    name = "pgqueuer-10"
    batch = 10


if __name__ == "__main__":
    uvloop.run(work(os.environ["BENCH_POSTGRES"], int(os.environ["BENCH_BATCH"])))
