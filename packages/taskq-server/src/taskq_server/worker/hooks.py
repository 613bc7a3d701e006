"""Hooks follow from committed transitions: at once when we made them, later when nobody did."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from taskq_server.core.errors import DatabaseUnavailable
from taskq_server.domain.lifecycle import Ended
from taskq_server.domain.task import Attempt, Task
from taskq_server.handlers.registry import Registry
from taskq_server.services.attempts import AttemptService
from taskq_server.worker.functions import tell

_REPLAY_BATCH = 100
_SLACK_SECONDS = 5.0
_log = logging.getLogger("taskq.server.worker")


class Hooks:
    """Run `on_retry` and `on_job_failure`, at least once for each transition.

    Args:
        attempts: remembers which hooks have run.
        registry: knows the hooks.
        clock: aware UTC.
        seconds: longest run of one hook.
        hooked: whether the registry has such hooks; without, nothing has to be remembered.
    """

    def __init__(
        self,
        attempts: AttemptService,
        registry: Registry,
        clock: Callable[[], datetime],
        seconds: float,
        *,
        hooked: bool,
    ) -> None:
        self._attempts = attempts
        self._registry = registry
        self._clock = clock
        self._seconds = seconds
        self._hooked = hooked
        self._running: dict[tuple[UUID, int], asyncio.Task[None]] = {}

    def follow(self, ended: Ended) -> None:
        """Run the hook of an attempt that has just ended; nobody waits for it."""
        self._start(ended.attempt, ended.task)

    async def replay(self) -> None:
        """Run hooks of transitions whose worker did not come to it."""
        if not self._hooked:
            return
        before = self._clock() - timedelta(seconds=self._seconds + _SLACK_SECONDS)
        pending = await self._attempts.pending_hooks(
            before=before, handlers=sorted(self._registry.handlers), limit=_REPLAY_BATCH
        )
        for attempt, task in pending:
            self._start(attempt, task)

    async def close(self) -> None:
        """Wait for the hooks that run."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start(self, attempt: Attempt, task: Task) -> None:
        key = (attempt.task_id, attempt.attempt)
        if attempt.outcome.is_error and key not in self._running:
            running = asyncio.create_task(self._run(attempt, task))
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key))

    async def _run(self, attempt: Attempt, task: Task) -> None:
        await tell(self._registry, attempt, task, seconds=self._seconds)
        if self._hooked:
            try:
                await self._attempts.hook_done(attempt)
            except DatabaseUnavailable:
                _log.debug("the hook of task %s will run again", task.id)
