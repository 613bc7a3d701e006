"""Assign quarantined tasks to processes."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from taskq_server.core.config import Settings
from taskq_server.domain.task import Task
from taskq_server.worker.attempts.result import Lost, RunResult
from taskq_server.worker.attempts.running import RunningAttempt
from taskq_server.worker.quarantine import child as inside
from taskq_server.worker.quarantine.launch import start
from taskq_server.worker.quarantine.process import AttemptProcess


class QuarantinePool:
    """The processes of one worker's quarantined tasks.

    They are forked from a small server, which has imported taskq and nothing else, and is started
    for the first quarantined task.

    Args:
        settings: how many processes of each kind, and what they need to know.
        patience: seconds a process gets, after its handler's grace, to say what became of it.
        on_change: called with the number of processes that there are now.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        patience: float = 5.0,
        on_change: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._patience = patience
        self._on_change = on_change
        self._processes: set[AttemptProcess] = set()
        self._expected = 0

    def free(self) -> int:
        """Return how many more tasks can have a process of their own."""
        taken = self._expected + sum(each.single for each in self._open())
        return self._settings.quarantine_processes - taken

    @contextmanager
    def expected(self, task: Task) -> Iterator[None]:
        """Count a claimed task that will have a process as soon as it has something else."""
        self._expected += task.is_last_chance
        try:
            yield
        finally:
            self._expected -= task.is_last_chance

    async def run(self, running: RunningAttempt) -> RunResult | None:
        """Run one attempt and return how it ended; None when that is not ours to say."""
        return await self._process_for(running.task).run(running)

    async def close(self) -> None:
        """End all processes."""
        for each in self._open():
            each.kill()
        await asyncio.gather(*(each.gone() for each in list(self._processes)))

    def _open(self) -> list[AttemptProcess]:
        return [each for each in self._processes if each.is_open]

    def _process_for(self, task: Task) -> AttemptProcess:
        shared = [each for each in self._open() if not each.single]
        if not task.is_last_chance and len(shared) >= self._settings.quarantine_processes:
            return min(shared, key=lambda each: each.load)
        process = AttemptProcess(
            self._spawn,
            self._on_gone,
            lost=lambda *_: Lost(),
            grace=self._settings.cancel_grace_seconds + self._patience,
            silence=self._settings.block_seconds + self._patience,
            single=task.is_last_chance,
        )
        self._processes.add(process)
        self._on_change(len(self._processes))
        return process

    def _on_gone(self, process: AttemptProcess) -> None:
        self._processes.discard(process)
        self._on_change(len(self._processes))

    async def _spawn(self) -> tuple[BaseProcess, Connection]:
        return await asyncio.to_thread(start, inside.main, self._settings)
