"""An attempt that its worker holds but does not know: the answer of its claim was lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.crud import beats
from taskq_server.domain.admission import ClaimRequest
from taskq_server.domain.task import Outcome, Status, Task
from taskq_server.runtime import open_runtime
from taskq_server.services.attempts import Claim
from taskq_server.worker.attempts.running import StopReason
from taskq_server.worker.liveness.lease import Heartbeat
from tests.support.callers import CALLER
from tests.unit.server.factories import WORKER, rows_of, stored
from tests.unit.server.worker.attempts import until
from tests.unit.server.worker.harness import RunnerHarness

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[RunnerHarness]:
    async with open_runtime(Settings(database_url=database_url)) as runtime:
        await migrations.upgrade(runtime.database)
        stage = RunnerHarness(runtime)
        yield stage
        await stage.close()


async def claim(stage: RunnerHarness, task: Task) -> None:
    ask = ClaimRequest(
        task_id=task.id,
        attempt=task.attempt + 1,
        worker_id=WORKER,
        namespaces=frozenset({"default"}),
        handlers=frozenset({"work"}),
        quarantine_room=lambda: 1,
    )
    assert isinstance(await stage.attempts.claim(ask), Claim)


async def beat(stage: RunnerHarness) -> Heartbeat:
    held = (
        await stage.runtime.database.read(
            lambda c: beats.look(c, WORKER, ["default"], all_namespaces=False)
        )
    ).held
    return Heartbeat(WORKER, held, asyncio.get_running_loop().time())


async def test_it_counts_as_lost_and_the_third_one_in_a_row_fails_the_task(
    stage: RunnerHarness,
) -> None:
    runner = stage.runner()
    task = await stage.put("work", max_retries=9)
    lost: list[tuple[Status, int, int]] = []
    for number in range(1, 4):
        await claim(stage, task)
        for _ in range(2):
            runner.compare(await beat(stage))
        await until(lambda number=number: len(stage.ended) == number)  # type: ignore[misc]
        task = await stored(stage.runtime.database, task.id)
        lost.append((task.status, task.lost_count, task.current_retry_count))
    assert lost == [(Status.QUEUED, 1, 0), (Status.QUEUED, 2, 0), (Status.FAILED, 3, 0)]
    told = await rows_of(stage.runtime.database)
    assert {one["outcome"] for one in told} == {Outcome.LOST}
    assert {one["error_type"] for one in told} == {"WorkerLost"}
    assert {one["error_message"] for one in told} == {
        f"worker {WORKER} holds this attempt but does not run it"
    }
    assert [ended.is_failure for ended in stage.ended] == [False, False, True]


async def test_one_that_was_cancelled_meanwhile_is_cancelled(stage: RunnerHarness) -> None:
    runner = stage.runner()
    task = await stage.put("work")
    await claim(stage, task)
    await stage.runtime.change.cancel(CALLER, task.id)
    for _ in range(2):
        runner.compare(await beat(stage))
    await until(lambda: bool(stage.ended))
    after = await stored(stage.runtime.database, task.id)
    assert (after.status, after.lost_count) == (Status.CANCELLED, 0)


async def test_what_its_worker_releases_is_not_counted(stage: RunnerHarness) -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    stage.handlers["work"] = work
    runner = stage.runner()
    task = await stage.put("work", lost_count=1)
    runner.interrupt_all(StopReason.RELEASE)
    for attempt in range(1, 5):
        async with asyncio.timeout(60):
            assert await runner.run(task.id, attempt)
        runner.compare(await beat(stage))
    after = await stored(stage.runtime.database, task.id)
    assert (after.status, after.attempt, after.lost_count) == (Status.QUEUED, 4, 1)
    assert {one["outcome"] for one in await rows_of(stage.runtime.database)} == {Outcome.RELEASED}
