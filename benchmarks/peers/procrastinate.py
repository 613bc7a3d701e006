"""procrastinate: durable, on PostgreSQL; it keeps no result."""

import os
import time
from collections.abc import Mapping

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from benchmarks.peers.base import Queue, RoundTrip

_CONCURRENCY = 30
app = App(connector=PsycopgConnector(conninfo=os.environ.get("BENCH_POSTGRES", "")))


@app.task(name="noop")
async def noop(n: int) -> int:
    return n


class Procrastinate(Queue):
    """One worker, 30 jobs at once."""

    name = "procrastinate"

    def prepare(self) -> None:
        url = self.stack.enter_context(self.servers.postgres.database())
        self._url = url
        self._sql = self.stack.enter_context(psycopg.connect(url, autocommit=True))
        self._app = App(connector=SyncPsycopgConnector(conninfo=url))
        self.stack.enter_context(self._app.open())
        self._app.schema_manager.apply_schema()
        self._task = self._app.configure_task("noop")

    @property
    def environment(self) -> Mapping[str, str]:
        return {"BENCH_POSTGRES": self._url}

    def start_worker(self) -> None:
        options = [f"--concurrency={_CONCURRENCY}", "--delete-jobs=never"]
        self.run(["procrastinate", "--app=benchmarks.peers.procrastinate.app", "worker", *options])

    def fill(self, count: int) -> float:
        start = time.perf_counter()
        for first in range(0, count, 1_000):
            numbers = range(first, min(first + 1_000, count))
            self._task.batch_defer(*({"n": n} for n in numbers))
        return time.perf_counter() - start

    def done(self) -> int:
        query = "SELECT COUNT(*) FROM procrastinate_jobs WHERE status = 'succeeded'"
        row = self._sql.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def round_trip(self) -> RoundTrip:
        self.start_worker()
        query = "SELECT status = 'succeeded' FROM procrastinate_jobs WHERE id = %s"

        def once() -> object:
            job = self._task.defer(n=1)
            while (row := self._sql.execute(query, [job]).fetchone()) is None or not row[0]:
                time.sleep(0.002)
            return job

        return once
