"""A message that names a task is a hint: only its row cancels it."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.task import Status, Task
from taskq_server.worker.cancels import Cancels
from taskq_server.worker.runner import Runner
from tests.support.callers import CALLER
from tests.unit.server.factories import stored
from tests.unit.server.worker.attempts import settle, until
from tests.unit.server.worker.harness import RunnerHarness


class Looks:
    """The reads of the database, counted."""

    def __init__(self, harness: RunnerHarness) -> None:
        self.harness = harness
        self.named: list[set[UUID]] = []
        self.answered = 0
        self.fail: Exception | None = None

    async def __call__(self, task_ids: Collection[UUID]) -> Collection[UUID]:
        self.named.append(set(task_ids))
        if self.fail is not None:
            raise self.fail
        found = await self.harness.attempts.cancels_asked(task_ids)
        self.answered += 1
        return found


class Working:
    """A runner whose tasks run until they are cancelled."""

    def __init__(self, harness: RunnerHarness) -> None:
        self.harness = harness
        self.looks = Looks(harness)
        self.started: list[int] = []
        harness.handlers["hold"] = self._hold
        self.runner: Runner = harness.runner()
        self.cancels = Cancels(self.runner, self.looks)
        self.jobs: list[asyncio.Task[bool]] = []

    async def begin(self, lost_count: int = 0) -> Task:
        before = len(self.started)
        task = await self.harness.put("hold", {"number": before}, lost_count=lost_count)
        self.jobs.append(asyncio.create_task(self.runner.run(task.id, 1)))
        await until(lambda: len(self.started) > before)
        return task

    async def status(self, task: Task) -> Status:
        return (await stored(self.harness.runtime.database, task.id)).status

    async def _hold(self, number: int) -> None:
        self.started.append(number)
        await asyncio.Event().wait()


@asynccontextmanager
async def working_on(harness: RunnerHarness) -> AsyncIterator[Working]:
    working = Working(harness)
    try:
        async with asyncio.timeout(60):
            yield working
    finally:
        for job in working.jobs:
            job.cancel()
        await asyncio.gather(*working.jobs, return_exceptions=True)
        await working.cancels.close()


async def test_a_forged_message_cancels_nothing(harness: RunnerHarness) -> None:
    async with working_on(harness) as working:
        task = await working.begin()
        working.cancels.note([task.id])
        await until(lambda: working.looks.answered == 1)
        assert working.looks.named == [{task.id}]
        for _ in range(20):
            await settle()
        assert not working.jobs[0].done()
        assert await working.status(task) is Status.RUNNING


async def test_of_many_that_are_named_those_are_cancelled_whose_rows_say_so(
    harness: RunnerHarness,
) -> None:
    async with working_on(harness) as working:
        tasks = [await working.begin() for _ in range(4)]
        for task in tasks[:2]:
            await harness.runtime.change.cancel(CALLER, task.id)
        working.cancels.note([task.id for task in tasks])
        await asyncio.wait(working.jobs[:2])
        found = [await working.status(task) for task in tasks]
        assert found == [Status.CANCELLED] * 2 + [Status.RUNNING] * 2
        assert len(working.looks.named) == 1


async def test_tasks_of_others_are_not_looked_up(harness: RunnerHarness) -> None:
    async with working_on(harness) as working:
        await working.begin()
        working.cancels.note([uuid4() for _ in range(1_000)])
        await settle()
        assert working.looks.named == []


async def test_a_flood_costs_some_reads_a_second_and_holds_no_real_cancel_up(
    harness: RunnerHarness,
) -> None:
    async with working_on(harness) as working:
        tasks = [await working.begin() for _ in range(3)]
        loop = asyncio.get_running_loop()
        began = loop.time()
        heard = 0
        while loop.time() - began < 1.0:
            working.cancels.note([task.id for task in tasks])
            heard += 1
            await asyncio.sleep(0)
        assert heard > 100
        assert 2 <= len(working.looks.named) <= 12
        await harness.runtime.change.cancel(CALLER, tasks[0].id)
        while not working.jobs[0].done():
            working.cancels.note([task.id for task in tasks])
            await settle()
        assert await working.status(tasks[0]) is Status.CANCELLED
        assert await working.status(tasks[1]) is Status.RUNNING


async def test_a_cancel_that_overtakes_the_answer_to_the_claim_is_not_lost(
    harness: RunnerHarness,
) -> None:
    """The row runs already, and the worker does not know it yet."""
    async with working_on(harness) as working:
        task = await harness.put("hold", {"number": 0})
        claim = harness.attempts.claim
        held, told = asyncio.Event(), asyncio.Event()

        async def slow(ask: object) -> object:
            answer = await claim(ask)  # type: ignore[arg-type]
            told.set()
            await held.wait()
            return answer

        harness.attempts.claim = slow  # type: ignore[assignment]
        working.jobs.append(asyncio.create_task(working.runner.run(task.id, 1)))
        await told.wait()
        await harness.runtime.change.cancel(CALLER, task.id)
        working.cancels.note([task.id])
        await until(lambda: working.looks.answered > 0)
        await settle()
        held.set()
        await asyncio.wait(working.jobs)
        assert await working.status(task) is Status.CANCELLED


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), RuntimeError("a surprise")])
async def test_a_look_that_fails_is_not_the_last_one(
    harness: RunnerHarness, error: Exception
) -> None:
    async with working_on(harness) as working:
        task = await working.begin()
        await harness.runtime.change.cancel(CALLER, task.id)
        working.looks.fail = error
        working.cancels.note([task.id])
        await until(lambda: len(working.looks.named) == 1)
        await settle()
        working.looks.fail = None
        working.cancels.note([task.id])
        await asyncio.wait(working.jobs)
        assert await working.status(task) is Status.CANCELLED


async def test_a_quarantined_task_is_cancelled_as_well_and_not_by_a_forgery(
    harness: RunnerHarness,
) -> None:
    """It runs in a process of its own."""
    async with working_on(harness) as working:
        task = await harness.put("taskq.sleep", {"seconds": 60}, lost_count=1)
        harness.handlers["taskq.sleep"] = working._hold
        working.runner = harness.runner()
        working.cancels = Cancels(working.runner, working.looks)
        working.jobs.append(asyncio.create_task(working.runner.run(task.id, 1)))
        await until(lambda: working.runner.holds([task.id]) > working.runner.claims([task.id]))
        working.cancels.note([task.id])
        await until(lambda: working.looks.answered > 0)
        await settle()
        assert await working.status(task) is Status.RUNNING
        await harness.runtime.change.cancel(CALLER, task.id)
        working.cancels.note([task.id])
        await asyncio.wait(working.jobs)
        assert await working.status(task) is Status.CANCELLED
