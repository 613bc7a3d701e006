"""All that can happen to tasks, in a random order, and what they are counted as."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import func, select

from taskq_server.crud.tables import tasks
from taskq_server.domain.requests import NewTask, TaskChanges
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import Status, Task
from taskq_server.runtime import Runtime
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.stats import Stats
from taskq_server.services.submit import IdempotencyKey
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

Counts = dict[str, dict[str, int]]
QUEUES = ("default", "mail", "reports")


def new(queue: str = "default") -> NewTask:
    """A task to submit."""
    return NewTask(handler="taskq.echo", payload={"value": 1}, queue=queue)


async def counted(runtime: Runtime) -> Counts:
    """Count the tasks of each queue by status, one by one."""
    statement = select(tasks.c.queue, tasks.c.status, func.count())
    grouped = statement.group_by(tasks.c.queue, tasks.c.status)
    rows = await runtime.database.read(lambda c: c.execute(grouped))
    queues: Counts = {}
    for queue, status, count in rows:
        queues.setdefault(queue, {})[status.value] = count
    return queues


def told(stats: Stats) -> Counts:
    """What the service says of each queue, without zeros."""
    return {
        queue.name: {status.value: n for status, n in queue.tasks.items() if n}
        for queue in stats.queues
    }


class Mixture:
    """Callers, workers and janitors who do one thing at a time, as the dice fall."""

    def __init__(self, runtime: Runtime, worker: ScriptedWorker, seed: int) -> None:
        self._runtime = runtime
        self._worker = worker
        self._dice = random.Random(seed)
        attempts = runtime.attempts(has_failure_hooks=True)
        self.maintenance = Maintenance(
            runtime.database, runtime.clock, attempts, runtime.dispatcher
        )
        self._keys = [IdempotencyKey.of(uuid4().hex, {}) for _ in range(8)]
        self.done: Counter[str] = Counter()
        self._actions: list[Callable[[], Awaitable[object]]] = [
            *(self.submit, self.submit, self.submit_with_key, self.submit_batch),
            *(self.claim, self.claim, self.claim, self.claim),
            *(self.succeed, self.fail, self.fail, self.fail_for_good, self.release),
            *(self.cancel, self.cancel, self.retry, self.edit, self.delete),
            *(self.lose_worker, self.prune),
        ]

    async def step(self) -> None:
        """Do one thing, if there is a task for it."""
        action = self._dice.choice(self._actions)
        await action()

    async def submit(self) -> None:
        await self._runtime.submit.one(CALLER, self._new())
        self._note("submit")

    async def submit_with_key(self) -> None:
        done = await self._runtime.submit.one(CALLER, new(), key=self._dice.choice(self._keys[:4]))
        self._note("replay" if done.replayed else "submit")

    async def submit_batch(self) -> None:
        key = self._dice.choice([*self._keys[4:], None])
        items = [new("mail")] * 5 if key else [self._new() for _ in range(4)]
        done = await self._runtime.submit.batch(CALLER, items, key=key)
        self._note("replay of a batch" if done.replayed else "batch")

    async def claim(self) -> None:
        task = await self._one(Status.QUEUED, Status.RETRYING)
        if task is None:
            return
        if task.status is Status.RETRYING:  # its next try is due in an hour, unless someone says so
            await self._runtime.change.update(
                CALLER, task.id, TaskChanges(given=frozenset({"run_at"}))
            )
        await self._worker.claim(str(task.id))
        self._note(f"claim of {task.status}")

    async def succeed(self) -> None:
        await self._end("succeed", lambda task: self._worker.succeed(task, 1))

    async def fail(self) -> None:
        await self._end("fail", self._worker.fail)

    async def fail_for_good(self) -> None:
        await self._end("fail for good", lambda task: self._worker.fail(task, fatal=True))

    async def release(self) -> None:
        await self._end("release", self._worker.release)

    async def cancel(self) -> None:
        task = await self._one(Status.QUEUED, Status.RETRYING, Status.RUNNING)
        if task is not None:
            await self._runtime.change.cancel(CALLER, task.id)
            self._note(f"cancel of {task.status}")

    async def retry(self) -> None:
        task = await self._one(Status.FAILED, Status.CANCELLED)
        if task is not None:
            await self._runtime.change.retry(CALLER, task.id)
            self._note(f"retry of {task.status}")

    async def edit(self) -> None:
        task = await self._one(*Status)
        if task is not None:
            await self._runtime.change.update(
                CALLER, task.id, TaskChanges(given=frozenset({"title"}), title="another")
            )

    async def delete(self) -> None:
        task = await self._one(*(status for status in Status if status is not Status.RUNNING))
        if task is not None:
            await self._runtime.change.delete(CALLER, task.id)
            self._note(f"delete of {task.status}")

    async def lose_worker(self) -> None:
        """Rescue what runs: the worker has no lease."""
        if self._dice.random() < 0.3:
            for ended in await self.maintenance.rescue([], ["default"]):
                self._note(f"rescue to {ended.task.status}")

    async def prune(self) -> None:
        if self._dice.random() < 0.1:
            self.done["prune"] += await self.maintenance.prune(Retention.of_all(timedelta(0)))

    async def _end(self, name: str, end: Callable[[Task], Awaitable[None]]) -> None:
        task = await self._one(Status.RUNNING)
        if task is not None:
            await end(task)
            self._note(name)

    async def _one(self, *statuses: Status) -> Task | None:
        for status in self._dice.sample(statuses, len(statuses)):
            ids = select(tasks.c.id).where(tasks.c.status == status).order_by(tasks.c.id)
            found = (await self._runtime.database.read(lambda c: c.execute(ids))).scalars().all()  # noqa: B023
            if found:
                return (await self._runtime.read.get(CALLER, self._dice.choice(found))).task
        return None

    def _new(self) -> NewTask:
        return new(self._dice.choice(QUEUES))

    def _note(self, what: str) -> None:
        self.done[what] += 1
