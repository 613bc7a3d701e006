"""No foreign key holds the rows together, so all who write them must."""

import asyncio
import contextlib
from datetime import timedelta
from random import Random
from uuid import UUID

from sqlalchemy import Column, event, func, select

from taskq_server.crud.tables import (
    attempts,
    schedule_fires,
    tags,
    task_keeps,
    task_tags,
    task_unique_keys,
    tasks,
    unique_keys,
)
from taskq_server.domain.errors import IllegalTransition, TaskNotFound
from taskq_server.domain.requests import NewTask, TaskChanges
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import Task
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.maintenance import Maintenance
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.unique import check_keys
from tests.support.callers import CALLER
from tests.support.schedules import NOON, get, make_schedule, put

SCHEDULES = ["s0", "s1", "s2"]
NAMES = [f"t{n}" for n in range(40)]
KEYS = [f"k{n}" for n in range(60)]
STEPS = 1_000
AT_ONCE = 5
KEPT = timedelta(hours=23)


class Steps:
    """Random steps through one runtime. Its janitor is a day ahead, so that all is old at once."""

    def __init__(self, runtime: Runtime, worker: ScriptedWorker, seed: int) -> None:
        self._runtime = runtime
        self._worker = worker
        self._random = Random(seed)
        self._maintenance = Maintenance(
            runtime.database,
            lambda: runtime.clock() + timedelta(days=1),
            runtime.attempts(has_failure_hooks=False),
            runtime.dispatcher,
        )

    async def run(self, ids: list[UUID], number: int) -> None:
        """Take steps; `ids` are the tasks of all who do."""
        for _ in range(number):
            step = self._random.choice(
                [self.submit, self.fire, self.work, self.change, self.change, self.tidy]
            )
            with contextlib.suppress(TaskNotFound, IllegalTransition):  # another one was first
                await step(ids)

    async def submit(self, ids: list[UUID]) -> None:
        keep = self._random.choice((None, None, 3600.0))
        new = NewTask(
            handler="taskq.echo",
            payload={"value": 1},
            tags=self._names(),
            keep_seconds=keep,
            unique_key=self._random.choice((None, *KEYS)),
        )
        ids.append((await self._runtime.submit.one(CALLER, new)).details.task.id)

    async def fire(self, ids: list[UUID]) -> None:
        schedule = await get(self._runtime, self._random.choice(SCHEDULES))
        ids.append((await self._runtime.firing.fire_now(CALLER, schedule)).task.id)

    async def work(self, ids: list[UUID]) -> None:
        await self._random.choice([self.submit, self.fire])(mine := [])
        task = await self._worker.ask(str(mine[0]))
        ids += mine
        if not isinstance(task, Task):  # it holds the unique key, and another one has claimed it
            return
        if self._random.random() < 0.5:
            await self._worker.succeed(task, 1)
        else:
            await self._worker.fail(task, fatal=True)

    async def change(self, ids: list[UUID]) -> None:
        task_id = self._random.choice(ids or [UUID(int=1)])
        if self._random.random() < 0.5:
            await self._runtime.change.delete(CALLER, task_id)
        changes = TaskChanges(given=frozenset({"tags"}), tags=self._names())
        await self._runtime.change.update(CALLER, task_id, changes)

    async def tidy(self, _: list[UUID]) -> None:
        await self._maintenance.prune(Retention.of_all(KEPT))
        await self._maintenance.forget_tags(KEPT)

    def _names(self) -> tuple[str, ...]:
        return tuple(self._random.sample(NAMES, k=self._random.randint(0, 2)))


async def orphans(runtime: Runtime, child: Column[object], parent: Column[object]) -> int:
    rows = select(func.count()).where(child.not_in(select(parent)))
    found = await runtime.database.read(lambda c: c.execute(rows))
    return found.scalar_one()


async def test_no_orphan_after_a_thousand_random_steps(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    await put(runtime, *(make_schedule(name, paused_at=NOON) for name in SCHEDULES))
    ids: list[UUID] = []
    said: list[str] = []
    engine = runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    async with open_runtime(runtime.settings) as other, asyncio.TaskGroup() as group:
        for seed in range(AT_ONCE):
            through = other if seed % 2 else runtime
            steps = Steps(through, ScriptedWorker(through), seed)
            group.create_task(steps.run(ids, STEPS // AT_ONCE))
    for child, parent in (
        (attempts.c.task_id, tasks.c.id),
        (task_keeps.c.task_id, tasks.c.id),
        (schedule_fires.c.task_id, tasks.c.id),
        (task_unique_keys.c.task_id, tasks.c.id),
        (unique_keys.c.task_id, tasks.c.id),
        (task_tags.c.task_id, tasks.c.id),
        (task_tags.c.tag_id, tags.c.id),
    ):
        assert await orphans(runtime, child, parent) == 0, child
    await check_keys(runtime)
    for table in ("tasks", "tags", "schedule_fires", "task_unique_keys", "unique_keys"):
        assert sum(one.startswith(f"DELETE FROM {table}") for one in said) > 5, table
