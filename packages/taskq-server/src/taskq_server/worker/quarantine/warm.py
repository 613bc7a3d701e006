"""The processes of handlers that ask for one: started with the worker, and kept between attempts.

A process runs one attempt at a time, so that no other attempt is hurt when it has to be ended: an
attempt that goes on although it was cancelled or is out of time ends with its process. Another
process replaces it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from taskq_server.core.config import Settings
from taskq_server.worker.attempts.result import Released, RunResult
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from taskq_server.worker.quarantine import child as inside
from taskq_server.worker.quarantine.attempt import cut_short, died
from taskq_server.worker.quarantine.launch import start
from taskq_server.worker.quarantine.process import AttemptProcess

_PAUSE_SECONDS = 5.0
_log = logging.getLogger("taskq.server.worker")


class WarmPool:
    """Processes of one worker that wait for attempts.

    Args:
        settings: how long an interrupted handler may clean up, and what processes need to know.
        size: the number of processes; 0 if no handler wants one.
        on_room: called when an attempt can have a process.
        patience: seconds a process gets, after its handler's grace, to say what became of it; also
            how long an attempt waits for a process before it is released.
    """

    def __init__(
        self, settings: Settings, size: int, on_room: Callable[[], None], *, patience: float = 5.0
    ) -> None:
        self._settings = settings
        self._size = size
        self._on_room = on_room
        self._patience = patience
        self._processes: set[AttemptProcess] = set()
        self._idle: list[AttemptProcess] = []
        self._waiting: deque[asyncio.Future[AttemptProcess]] = deque()
        self._expected = 0

    def start(self) -> None:
        """Start all processes that there should be, and are not."""
        for _ in range(self._size - sum(each.is_open for each in self._processes)):
            process = AttemptProcess(
                self._spawn,
                self._on_gone,
                on_ready=self._put,
                lost=lambda running, status: cut_short(running.cause, died(status)),
                grace=self._settings.cancel_grace_seconds + self._patience,
            )
            self._processes.add(process)

    def free(self) -> int:
        """Return how many more attempts can have a process."""
        return len(self._idle) - self._expected

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Count a claimed attempt that takes a process as soon as it has something else."""
        self._expected += 1
        try:
            yield
        finally:
            self._expected -= 1

    async def run(self, running: RunningAttempt) -> RunResult | None:
        """Run one attempt and return how it ended; None when that is not ours to say."""
        process = await self._take(running)
        if process is None:
            running.interrupt(StopReason.RELEASE)
            return cut_short(running.cause, Released(ran=False), ran=False)
        try:
            return await process.run(running)
        finally:
            if process.is_open:
                self._put(process)
            self.start()

    async def close(self) -> None:
        """End all processes: those that run nothing after their shutdown hooks, others at once."""
        self._size = 0
        for each in self._processes:
            if each in self._idle:
                each.let_go()
            else:
                each.kill()
        await asyncio.gather(*(each.gone() for each in list(self._processes)))

    async def _take(self, running: RunningAttempt) -> AttemptProcess | None:
        """Return a process; None if there is none in time or the attempt is interrupted."""
        if running.interrupted.is_set():
            return None
        if self._idle:
            return self._idle.pop()
        turn: asyncio.Future[AttemptProcess] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await running.until_interrupted(turn, self._patience)
        if not turn.done():
            self._waiting.remove(turn)
            return None
        process = turn.result()
        if process.is_open and running.interrupted.is_set():
            self._put(process)
            return None
        return process if process.is_open else None

    def _put(self, process: AttemptProcess) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(process)
        else:
            self._idle.append(process)
            self._on_room()

    def _on_gone(self, process: AttemptProcess) -> None:
        self._processes.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        if process.has_run or not self._size:
            self.start()
            return
        _log.error(
            "a process for handlers with process=True ended before it ran anything; another one "
            "starts in %g s", _PAUSE_SECONDS,
        )  # fmt: skip
        asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self.start)

    async def _spawn(self) -> tuple[BaseProcess, Connection]:
        return await asyncio.to_thread(start, inside.run_singly, self._settings)
