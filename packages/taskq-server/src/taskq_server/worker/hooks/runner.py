"""Run failure hooks after committed transitions: this worker's at once, missed ones later."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from taskq_server.core.log_context import About, Fields
from taskq_server.core.spans import NOTHING, Work
from taskq_server.core.tracing import Tracing
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.events import TaskChanged
from taskq_server.domain.lifecycle import follows_failure
from taskq_server.domain.task import Attempt, Task
from taskq_server.handlers.registry import Registry, TaskEvent
from taskq_server.services.attempts import AttemptService
from taskq_server.worker.calls import Calls
from taskq_server.worker.functions import event_of, hook_of, tell

_REPLAY_BATCH = 100
_SLACK_SECONDS = 5.0
_UNWANTED_SECONDS = 3_600.0
_AT_ONCE = 16
_MOST_WAITING = 1_000
_MOST_LEFT = 32
_log = logging.getLogger("taskq.server.worker")


class Hooks:
    """Run `on_retry` and `on_job_failure`, at least once for each transition.

    A bounded number of hooks runs or waits in memory. All other transitions stay marked in the
    database and are replayed, as are the hooks that wait when the worker stops.

    Args:
        attempts: stores which hooks have run.
        registry: contains the hooks.
        namespaces: whose missed transitions are replayed.
        clock: returns the lower bound of the present time, aware UTC.
        tracing: makes the spans of hooks.
        seconds: time limit of one hook.
        on_stuck: called when too many hooks are overdue to start any more.
    """

    def __init__(
        self,
        attempts: AttemptService,
        registry: Registry,
        namespaces: Sequence[str],
        clock: Callable[[], datetime],
        tracing: Tracing,
        seconds: float,
        on_stuck: Callable[[], None],
    ) -> None:
        self._attempts = attempts
        self._registry = registry
        self._namespaces = namespaces
        self._clock = clock
        self._tracing = tracing
        self._seconds = seconds
        self._on_stuck = on_stuck
        self._has_failure_hooks = registry.has_failure_hooks
        self._calls = Calls(seconds)
        # Hooks inherit the context variables of start-up hooks, and nothing of the attempts whose
        # ends are committed together.
        self._context = copy_context()
        self._waiting: dict[tuple[UUID, int], TaskEvent] = {}
        self._running: dict[tuple[UUID, int], asyncio.Task[None]] = {}

    @property
    def left(self) -> int:
        """The number of overdue hooks that still run."""
        return len(self._calls.left)

    def follow(self, changes: Sequence[TaskChanged]) -> None:
        """Run the hooks of attempts that have just failed, in the background.

        A rescued attempt may be another worker's, so only a worker with its handler runs the hook.
        """
        for _, task, attempt in changes:
            if task is None or attempt is None or not follows_failure(task.status):
                continue
            if task.handler in self._registry.handlers:
                self._add(event_of(attempt, task))

    async def replay(self) -> None:
        """Run hooks of transitions whose worker did not run them.

        A worker without hooks marks failures older than an hour as handled, on the assumption that
        no worker has hooks for them.
        """
        if self._has_failure_hooks:
            for attempt, task in await self._pending(self._seconds + _SLACK_SECONDS):
                self._add(event_of(attempt, task))
            self._start()
        elif unwanted := await self._pending(_UNWANTED_SECONDS):
            await self._attempts.hooks_done([(one.task_id, one.attempt) for one, _ in unwanted])

    async def _pending(self, seconds: float) -> list[tuple[Attempt, Task]]:
        return await self._attempts.pending_hooks(
            namespaces=self._namespaces,
            before=self._clock() - timedelta(seconds=seconds),
            handlers=sorted(self._registry.handlers),
            limit=_REPLAY_BATCH,
        )

    async def close(self) -> None:
        """Wait for the running hooks."""
        self._waiting.clear()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _add(self, event: TaskEvent) -> None:
        key = (event.task_id, event.attempt)
        full = self._has_failure_hooks and len(self._waiting) >= _MOST_WAITING
        if key not in self._running and not full:
            self._waiting.setdefault(key, event)
            self._start()

    def _start(self) -> None:
        while self._waiting and len(self._running) < _AT_ONCE and self.left < _MOST_LEFT:
            key = next(iter(self._waiting))
            running = asyncio.create_task(
                self._run(self._waiting.pop(key)), context=self._context.copy()
            )
            self._running[key] = running
            running.add_done_callback(partial(self._ended, key))

    def _ended(self, key: tuple[UUID, int], _: object) -> None:
        del self._running[key]
        self._start()

    async def _run(self, event: TaskEvent) -> None:
        with About(lambda: _fields(event)), self._work(event) as work:
            await self._run_all(event, work)

    async def _run_all(self, event: TaskEvent, work: Work) -> None:
        error = await tell(self._registry, event, self._calls)
        if error is not None:
            work.fail(type(error).__name__)
        if self.left >= _MOST_LEFT:
            _log.error("%d hooks go on after their time: no more are started", self.left)
            self._on_stuck()
        if self._has_failure_hooks:
            try:
                await self._attempts.hooks_done([(event.task_id, event.attempt)])
            except DatabaseUnavailable:
                _log.debug("the hook of task %s will run again", event.task_id)

    def _work(self, event: TaskEvent) -> Work:
        hook = hook_of(event)
        if not self._registry.hooks_for(hook):
            return NOTHING
        return self._tracing.hook(
            hook, event.task_id, event.handler, event.attempt, event.traceparent
        )


def _fields(event: TaskEvent) -> Fields:
    return {"task_id": str(event.task_id), "attempt": event.attempt, "handler": event.handler}
