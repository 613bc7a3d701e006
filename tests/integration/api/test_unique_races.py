"""Unique keys when many want them at once, from two processes as far as memory goes."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from uuid import UUID

import httpx
import pytest

from taskq_server.domain import lifecycle
from taskq_server.domain.errors import (
    IllegalTransition,
    StaleAttempt,
    TaskNotFound,
    UniqueConflict,
)
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Task
from taskq_server.domain.unique import OnConflict
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.reports import Completion
from taskq_server.services.submission import IdempotencyKey
from tests.integration.api.bulk import post as post_bulk
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.unique import check_keys, post
from tests.support.callers import CALLER

SUBMITS = 200
STEPS = 600
AT_ONCE = 6
KEYS = ("a", "b", "c", "d")

EXPECTED = (IllegalTransition, StaleAttempt, TaskNotFound, UniqueConflict)
"""Another one was first; nothing else may happen, least of all a deadlock that somebody sees."""


@pytest.fixture
async def other(runtime: Runtime) -> AsyncIterator[Runtime]:
    async with open_runtime(runtime.settings) as opened:
        yield opened


def client(runtime: Runtime) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(runtime=runtime))
    return httpx.AsyncClient(transport=transport, base_url="http://taskq")


@pytest.mark.parametrize("how", ["return", "replace", "reject"])
async def test_two_hundred_submits_make_one_task(
    runtime: Runtime, other: Runtime, worker: ScriptedWorker, how: str
) -> None:
    async with client(runtime) as one, client(other) as two:
        answers = await asyncio.gather(
            *(
                post((one, two)[number % 2], payload={"value": number}, on_conflict=how)
                for number in range(SUBMITS)
            )
        )
        statuses = Counter(each.status_code for each in answers)
        assert statuses == {201: 1, (409 if how == "reject" else 200): SUBMITS - 1}
        problems = (each.json()["task"]["id"] for each in answers if each.status_code == 409)
        ids = {each.json()["id"] for each in answers if each.status_code != 409} | set(problems)
        assert len(ids) == 1
        found = (await one.get(f"/tasks/{ids.pop()}")).json()
        assert found["version"] == (SUBMITS if how == "replace" else 1)
    await check_keys(runtime)


async def test_one_task_at_a_time_while_workers_end_them(
    runtime: Runtime, other: Runtime, worker: ScriptedWorker
) -> None:
    """Whoever gets a task knows that it ran alone: the tasks of the key ran one after the other."""
    made: list[UUID] = []
    running = 0

    async def submit_and_run(through: Runtime) -> None:
        nonlocal running
        new = NewTask("taskq.echo", {"value": 1}, unique_key="one")
        submitted = await through.submit.one(CALLER, new)
        if submitted.is_conflict:
            return
        running += 1
        assert running == 1, "two tasks of one key"
        task = await worker.claim(str(submitted.details.task.id))
        made.append(task.id)
        running -= 1
        await worker.succeed(task, 1)

    for _ in range(10):
        await asyncio.gather(
            *(submit_and_run((runtime, other)[number % 2]) for number in range(SUBMITS // 10))
        )
    assert len(made) >= 10
    assert len(set(made)) == len(made)
    await check_keys(runtime)


class Steps:
    """Random steps through one runtime, each with a key that others want, too."""

    def __init__(self, runtime: Runtime, seed: int, ids: list[UUID]) -> None:
        self._runtime = runtime
        self._random = Random(seed)
        self._worker = ScriptedWorker(runtime)
        self._attempts = runtime.attempts(has_failure_hooks=False)
        self._ids = ids
        self.done: Counter[str] = Counter()

    async def run(self, number: int) -> None:
        """Take steps."""
        steps: list[Callable[[], Awaitable[object]]] = [
            *(self.submit, self.submit, self.batch, self.work, self.work, self.cancel),
            *(self.retry, self.retry, self.delete, self.rescue, self.bulk),
        ]
        for _ in range(number):
            step = self._random.choice(steps)
            with contextlib.suppress(*EXPECTED):
                await step()
                self.done[getattr(step, "__name__", "")] += 1

    async def submit(self) -> None:
        key = None
        if self._random.random() < 0.3:
            key = IdempotencyKey(str(self._random.random()), "same")
        submitted = await self._runtime.submit.one(CALLER, self._new(), key=key)
        self._ids.append(submitted.details.task.id)

    async def batch(self) -> None:
        items = [self._new() for _ in range(self._random.randint(1, 6))]
        submitted = await self._runtime.submit.batch(CALLER, items)
        self._ids.extend(each.task.id for each in submitted.details)

    async def work(self) -> None:
        task = await self._worker.ask(str(self._one()))
        if not isinstance(task, Task):
            return
        await asyncio.sleep(0)
        match self._random.randint(0, 3):
            case 0:
                await self._worker.succeed(task, 1)
            case 1:
                await self._worker.fail(task, fatal=self._random.random() < 0.5)
            case 2:
                await self._worker.release(task)
            case _:
                await self._attempts.end(
                    Completion(
                        task_id=task.id,
                        attempt=task.attempt,
                        worker_id=self._worker.id,
                        decide=lambda row, now: lifecycle.succeed(row, result="1", now=now),
                        claimed=task,
                    )
                )

    async def cancel(self) -> None:
        await self._runtime.change.cancel(CALLER, self._one())

    async def retry(self) -> None:
        await self._runtime.change.retry(CALLER, self._one())

    async def delete(self) -> None:
        await self._runtime.change.delete(CALLER, self._one())

    async def rescue(self) -> None:
        wanted = self._random.sample(self._ids, k=min(20, len(self._ids)))
        await self._attempts.rescue(wanted, lambda _: True)

    async def bulk(self) -> None:
        action = self._random.choice(("retry", "retry", "cancel", "delete"))
        async with client(self._runtime) as api:
            begun = await post_bulk(api, action, handler="taskq.echo", limit=50)
            assert begun.status_code == 202, begun.text
        await self._runtime.bulk_work.step(UUID(begun.json()["id"]))

    def _new(self) -> NewTask:
        key = self._random.choice((None, *KEYS))
        how = None if key is None else self._random.choice((None, *OnConflict))
        return NewTask("taskq.echo", {"value": 1}, unique_key=key, on_conflict=how)

    def _one(self) -> UUID:
        return self._random.choice(self._ids[-12:] or [UUID(int=1)])


async def test_keys_are_right_after_random_steps_of_many(
    runtime: Runtime, other: Runtime, worker: ScriptedWorker
) -> None:
    ids: list[UUID] = []
    every = [Steps((runtime, other)[seed % 2], seed, ids) for seed in range(AT_ONCE)]
    async with asyncio.TaskGroup() as group:
        for steps in every:
            group.create_task(steps.run(STEPS // AT_ONCE))
    await runtime.bulk_work.sweep()
    await check_keys(runtime)
    done = sum((steps.done for steps in every), Counter[str]())
    assert len(done) == 8, done
    found = await runtime.submit.batch(
        CALLER, [NewTask("taskq.echo", {"value": 1}, unique_key=key) for key in KEYS]
    )
    assert len({each.task.id for each in found.details}) == len(KEYS)
    await check_keys(runtime)
