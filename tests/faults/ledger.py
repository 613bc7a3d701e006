"""The ledger: a taskq of real processes, everything noted, faults injected, invariants checked."""

import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults import handlers
from tests.faults.evidence import (
    Evidence,
    Interruption,
    Line,
    RowMapper,
    Submit,
    read_lines,
    redis_keys,
    stats,
)
from tests.faults.invariants import check
from tests.faults.load import MIXED, Callers, Load
from tests.support.calls import FULL, descendants
from tests.support.mariadb import MariaDBServer
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, ServerProcess
from tests.support.stack import Stack
from tests.support.waiting import wait_until

LEASE_SECONDS = 10.0 if FULL else 2.0
BEATS = 5
"""A worker tells the database so many times a lease that it lives."""

_LOOK_SECONDS = 0.1
CONCURRENCY = 20
WORKERS = 3
APIS = 2
SETTINGS = {
    "TASKQ_HANDLERS": "tests.faults.handlers",
    "TASKQ_LEASE_SECONDS": str(LEASE_SECONDS),
    "TASKQ_CONCURRENCY": str(CONCURRENCY),
    "TASKQ_DRAIN_SECONDS": "3",
    "TASKQ_CANCEL_GRACE_SECONDS": "2",
    "TASKQ_HOOK_SECONDS": "1",
    "TASKQ_DATABASE_POOL_SIZE": "5",
}


class Ledger:
    """Two API processes and three workers, with a database and a Redis, as a context manager.

    A test begins a new series with `begin`, and ends it with `settle`, which waits for quiet and
    checks the invariants over all tasks of the series.

    Args:
        mariadb: The server for the database.
        settings: TASKQ_ variables for all processes.
        proxied: Whether proxies stand before both servers.
    """

    def __init__(
        self,
        mariadb: MariaDBServer,
        settings: Mapping[str, str] | None = None,
        *,
        proxied: bool = False,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="taskq-ledger-"))
        self.file = self._folder / "ledger"
        ledger = {handlers.LEDGER_VARIABLE: str(self.file)}
        merged = {**SETTINGS, **ledger, **(settings or {})}
        self.stack = Stack(
            "mariadb", mariadb=mariadb, settings=merged, workers=WORKERS, proxied=proxied
        )
        self.lease = float(merged["TASKQ_LEASE_SECONDS"])
        self.bearable = self.lease * (1 - 2 / BEATS) - 0.3
        """Seconds that the database may be away without a worker losing its lease."""
        self.callers = Callers(self._urls, "none")
        self.interrupted: list[Interruption] = []
        self.prefix = "none"
        self._ports: list[int] = []

    def __enter__(self) -> Self:
        try:
            self.stack.__enter__()
            self._ports = [self._port_of(self.stack.apis[0]), free_port()]
            self.heal()
            self.reader = RowMapper(self.stack)
            self.queue = self.stack.names.queue("default", "default")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.stack.apis or self.stack.workers:
            self.stack.__exit__()
        self.callers.http.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def begin(self, on_accepted: Callable[[Submit], None] = lambda _: None) -> None:
        """Start a new series with everything up."""
        self.heal()
        self.file.write_bytes(b"")
        self.prefix = secrets.token_hex(4)
        self.callers.http.close()
        self.callers = Callers(self._urls, self.prefix, on_accepted)
        self.interrupted = []

    def heal(self) -> None:
        """Start whatever is missing: Redis, API processes, workers."""
        assert self.stack.redis is not None
        self.stack.redis.start()
        self.stack.workers[:] = [one for one in self.stack.workers if one.running]
        while len(self.stack.workers) < WORKERS:
            self.stack.start_worker()
        self.stack.apis[:] = [one for one in self.stack.apis if one.running]
        for port in self._ports[:APIS]:
            if all(self._port_of(one) != port for one in self.stack.apis):
                self.stack.start_api(port=port)

    def load(
        self,
        *,
        mix: Mapping[str, int] = MIXED,
        rate: float = 40.0,
        threads: int = 4,
        **fields: Any,
    ) -> Load:
        """A load of this series, as a context manager; `fields` go into every task."""
        return Load(self.callers, mix=mix, rate=rate, threads=threads, fields=fields)

    def lines(self) -> list[Line]:
        """What the handlers wrote about this series so far."""
        ids = {one.task_id for one in self.callers.submits}
        return [line for line in read_lines(self.file) if line.task_id in ids]

    def written(self, submit: Submit, attempt: int, event: str) -> Line | None:
        """What the handler wrote about an event, if it did."""
        for line in self.lines():
            if (line.task_id, line.attempt, line.event) == (submit.task_id, attempt, event):
                return line
        return None

    def until_written(self, submit: Submit, attempt: int, event: str, timeout: float = 30) -> Line:
        """Wait for what the handler writes about an event."""
        found: list[Line] = []

        def there() -> bool:
            line = self.written(submit, attempt, event)
            found.extend([line] if line else [])
            return bool(found)

        what = f"{event} of attempt {attempt} of {submit.key}"
        wait_until(there, timeout, what, 0.02, self.describe)
        return found[0]

    def until_started(self, submit: Submit, attempt: int = 1, timeout: float = 30) -> Line:
        """Wait for the start of an attempt."""
        return self.until_written(submit, attempt, "start", timeout)

    def until_accepted(self, count: int, timeout: float = 60) -> None:
        """Wait until the callers have been told of so many tasks."""
        wait_until(
            lambda: sum(one.accepted for one in self.callers.submits) >= count,
            timeout,
            f"{count} tasks are accepted",
            0.05,
            self.describe,
        )

    def worker_of(self, line: Line) -> ServerProcess:
        """The worker one of whose processes wrote a line."""
        pids = {one.pid: one for one in self.stack.workers}
        pid = line.pid
        while pid and pid not in pids:
            pid = parent_of(pid)
        return pids[pid]

    @contextmanager
    def interrupting(self, *workers: ServerProcess | int) -> Iterator[None]:
        """Expect that what these run is lost while the block runs, and for a lease after it.

        Args:
            workers: Workers with all their processes, or single processes by their ids.
        """
        roots = {one if isinstance(one, int) else one.pid for one in workers}
        pids, since = roots | _below(roots), time.time()
        over = threading.Event()

        def watch() -> None:
            """A stopped worker's child starts processes meanwhile, and ends them with its lease."""
            while not over.wait(_LOOK_SECONDS):
                pids.update(_below(roots))

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join(10)
            pids |= _below(roots)
            until = time.time() + self.lease
            self.interrupted.append(Interruption(len(workers), frozenset(pids), since, until))

    def expect_killing_hooks(self, count: int) -> None:
        """Expect that hooks kill so many processes."""
        self.interrupted.append(Interruption(count))

    def kill_worker(self, worker: ServerProcess) -> None:
        """End a worker with SIGKILL; another one has to be started for it."""
        self.stack.workers.remove(worker)
        with self.interrupting(worker):
            worker.kill()

    def quiet(self, timeout: float = 60) -> float:
        """Wait until all tasks of the series are final and their hooks have run; the seconds."""
        began = time.monotonic()
        assert self.stack.redis is not None

        def settled() -> bool:
            unfinished = self.reader.unfinished(self.prefix)
            return not unfinished and not self.reader.pending_hooks(self.prefix)

        wait_until(settled, timeout, "the series is quiet", 0.2, self.describe)
        waits = [name for name, ttl in redis_keys(self.stack).items() if ttl == -1]
        if waits:
            wait_until(lambda: not self._queued(), 10, "the queue in Redis is empty", 0.1)
        wait_until(
            lambda: self.reader.leases() == len(self.stack.workers),
            self.lease + 10,
            "there are as many leases as workers",
            0.2,
            self.describe,
        )
        return time.monotonic() - began

    def evidence(self) -> Evidence:
        """What is known about the series."""
        return Evidence(
            submits=list(self.callers.submits),
            lines=self.lines(),
            rows=self.reader.rows(self.prefix),
            ended=self.reader.ended(self.prefix),
            live_workers=self.reader.leases(),
            running_workers=len(self.stack.workers),
            redis_keys=redis_keys(self.stack),
            interrupted=list(self.interrupted),
            concurrency=CONCURRENCY,
            stats={url: stats(url) for url in self._urls()},
            counts=self.reader.counts(),
        )

    def settle(self, name: str, timeout: float = 60, **figures: Any) -> Evidence:
        """Wait for quiet, check all invariants, and print the figures of the test."""
        quiet = self.quiet(timeout)
        evidence = self.evidence()
        check(evidence)
        tries = sum(one.broken + len(one.answers) for one in evidence.submits)
        report(
            name,
            tasks=len(evidence.rows),
            tries=tries,
            interruptions=evidence.interruptions,
            reruns=evidence.extra_runs(),
            outcomes=evidence.outcomes(),
            quiet=f"{quiet:.1f} s",
            **figures,
        )
        return evidence

    def describe(self) -> str:
        """Where the series stands, for messages."""
        return (
            f"unfinished {self.reader.unfinished(self.prefix)}, "
            f"hooks to run {self.reader.pending_hooks(self.prefix)}, "
            f"leases {self.reader.leases()} of {len(self.stack.workers)}, queue {self._queued()}"
        )

    def _queued(self) -> int:
        assert self.stack.redis is not None
        with self.stack.redis.client() as client:
            return int(str(client.zcard(self.queue)))

    def _urls(self) -> list[str]:
        return [f"http://127.0.0.1:{self._port_of(one)}" for one in list(self.stack.apis)]

    @staticmethod
    def _port_of(process: ServerProcess) -> int:
        assert isinstance(process, ApiProcess)
        return process.port


def _below(roots: set[int]) -> set[int]:
    return {pid for root in roots for pid in descendants(root)}


def parent_of(pid: int) -> int:
    """The process id of the parent, 0 if the process has ended; Linux only."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(status.partition("PPid:")[2].split()[0])


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Freeze a process while the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def report(name: str, **figures: Any) -> None:
    """Print one line of figures; the end of a run shows those of all tests."""
    words = ", ".join(f"{word.replace('_', ' ')} {value}" for word, value in figures.items())
    print(f"{name}: {words}")
