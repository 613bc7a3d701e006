"""A runner with one handler for each name, on a database."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from taskq_server.domain.admission import Gate
from taskq_server.domain.events import TaskChanged
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Task
from taskq_server.handlers.context import State
from taskq_server.handlers.registry import Registry
from taskq_server.runtime import Runtime
from taskq_server.worker.admission import Admission
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.slots import Slots
from taskq_server.worker.quarantine.checks import Checks
from taskq_server.worker.quarantine.pool import QuarantinePool
from taskq_server.worker.quarantine.warm import WarmPool
from taskq_server.worker.runner import Runner, RunnerDeps
from tests.unit.server.factories import WORKER, make_task, store, stored
from tests.unit.server.worker.attempts import LIMITS, cell_settings, handler_of


class RunnerHarness:
    """What a runner works with; `handlers` are its to fill."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.executor = Executor(2, LIMITS)
        self.quarantine = QuarantinePool(cell_settings())
        self.processes = WarmPool(cell_settings(), 0, lambda: None)
        self.checks = Checks(cell_settings())
        self.slots = Slots(100)
        self.ended: list[AttemptEnded] = []
        self._listening = ExitStack()
        self._listening.enter_context(runtime.after_commit.listening(self._note))
        self.handlers: dict[str, Any] = {}
        self.attempts = runtime.attempts(has_failure_hooks=False)
        self.admission = Admission(
            {Gate.QUARANTINE: self.quarantine.free}, self.attempts.ring_again
        )

    def runner(self) -> Runner:
        registry = Registry({name: handler_of(one) for name, one in self.handlers.items()})
        return Runner(
            RunnerDeps(
                attempts=self.attempts,
                submit=self.runtime.submit,
                registry=registry,
                executor=self.executor,
                quarantine=self.quarantine,
                processes=self.processes,
                checks=self.checks,
                admission=self.admission,
                slots=self.slots,
                tracing=self.runtime.tracing,
                state=State(),
                namespaces=frozenset({"default", "theirs"}),
                worker_id=lambda: WORKER,
                on_free=lambda: None,
            )
        )

    async def put(self, handler: str, payload: Any = None, **changes: Any) -> Task:
        changes.setdefault("created_at", self.runtime.clock())
        task = make_task(handler=handler, payload=json.dumps(payload or {}), **changes)
        await store(self.runtime.database, task)
        return task

    async def run(self, task: Task) -> Task:
        async with asyncio.timeout(60):
            await self.runner().run(task.id, task.attempt + 1)
        return await stored(self.runtime.database, task.id)

    def _note(self, changes: Sequence[TaskChanged]) -> None:
        for before, after, attempt in changes:
            if attempt is not None and before is not None and after is not None:
                self.ended.append(AttemptEnded(after, attempt, before))

    async def close(self) -> None:
        self._listening.close()
        self.executor.close()
        self.checks.close()
        await self.quarantine.close()
        await self.processes.close()
