"""From a doorbell to the end of the attempt, on a real database."""

import asyncio
import json
import os
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from taskq_server import Context
from taskq_server.crud import tasks, workers
from taskq_server.domain.task import Status, Task
from taskq_server.services.attempts import Ask
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.running import Cause
from taskq_server.worker.liveness.lease import Beat
from taskq_server.worker.runner import Runner
from tests.unit.server.factories import (
    OTHER_WORKER,
    WORKER,
    publish,
    rows_of,
    stored,
)
from tests.unit.server.worker.attempts import LIMITS, settle, until
from tests.unit.server.worker.stage import Stage

PID = "tests.pid"


async def add(a: int, b: int) -> int:
    return a + b


async def test_a_doorbell_becomes_a_result(stage: Stage) -> None:
    stage.handlers["add"] = add
    task = await stage.put("add", {"a": 40, "b": 2})
    after = await stage.run(task)
    assert (after.status, after.attempt, after.worker_id) == (Status.SUCCEEDED, 1, WORKER)
    assert (await stage.runtime.tasks.get(task.id)).result == "42"
    assert [ended.task for ended in stage.ended] == [after]


async def test_a_stale_doorbell_does_nothing(stage: Stage) -> None:
    stage.handlers["add"] = add
    task = await stage.put("add", {"a": 1, "b": 2})
    done = await stage.run(task)
    assert await stage.run(task) == done
    await stage.runner().run(UUID(int=1), 1)
    assert len(await rows_of(stage.runtime.database)) == 1


async def test_a_handler_that_is_not_ours_is_left_alone(stage: Stage) -> None:
    stage.handlers["add"] = add
    task = await stage.put("another")
    assert await stage.run(task) == task


async def test_the_last_progress_is_in_the_row(stage: Stage) -> None:
    async def steps(context: Context) -> None:
        await context.progress(1, 2, "one")
        await context.progress(2, 2, "two")

    stage.handlers["steps"] = steps
    after = await stage.run(await stage.put("steps"))
    assert after.status is Status.SUCCEEDED
    assert json.loads(after.progress or "") == {"current": 2, "total": 2, "message": "two"}


class Float(float):
    """Like numpy.float64."""


@pytest.mark.parametrize("number", [Float(0.5), 2**64, float("nan")])
async def test_no_progress_can_keep_an_attempt_from_ending(stage: Stage, number: float) -> None:
    async def odd(context: Context) -> None:
        await context.progress(number)

    stage.handlers["odd"] = odd
    after = await stage.run(await stage.put("odd"))
    assert after.status is not Status.RUNNING


async def test_no_result_can_keep_an_attempt_from_ending(stage: Stage) -> None:
    async def odd() -> Any:
        return (1 // (n - 1) for n in range(3))

    stage.handlers["odd"] = odd
    after = await stage.run(await stage.put("odd"))
    assert after.status is Status.FAILED


async def test_a_child_is_one_task_however_often_its_parent_runs(stage: Stage) -> None:
    await publish(stage.runtime.database, "child")

    async def parent(context: Context) -> str:
        child = await context.submit("child", {"n": 1}, title="a child")
        if context.attempt == 1:
            raise RuntimeError("once more")
        return str(child)

    stage.handlers["parent"] = parent
    task = await stage.put("parent", traceparent="00-trace", backoff_base_seconds=1e-6)
    first = await stage.run(task)
    assert first.status is Status.RETRYING
    await asyncio.sleep(0.001)
    assert (await stage.run(first)).status is Status.SUCCEEDED
    child = UUID(json.loads((await stage.runtime.tasks.get(task.id)).result or ""))
    found = await stored(stage.runtime.database, child)
    assert (found.title, found.traceparent) == ("a child", "00-trace")
    assert len(await rows_of(stage.runtime.database)) == 2


async def test_a_child_of_a_handler_whose_schema_cannot_be_used_is_an_error(stage: Stage) -> None:
    await publish(stage.runtime.database, "child", schema='{"required": true}')

    async def parent(context: Context) -> str:
        return str(await context.submit("child"))

    stage.handlers["parent"] = parent
    await stage.run(await stage.put("parent"))
    (ended,) = stage.ended
    assert ended.attempt.error_type == "UnusableHandler"
    assert "handler child: the JSON Schema" in (ended.attempt.error_message or "")


async def test_a_suspect_runs_in_another_process(stage: Stage) -> None:
    async def pid() -> int:
        return os.getpid()

    stage.handlers[PID] = pid
    trusted = await stage.put(PID)
    assert (await stage.run(trusted)).status is Status.SUCCEEDED
    suspect = await stage.put(PID, lost_count=1, attempt=1)
    after = await stage.run(suspect)
    assert (after.status, after.lost_count) == (Status.SUCCEEDED, 0)
    results = [(await stage.runtime.tasks.get(one.id)).result for one in (trusted, suspect)]
    assert results[0] == str(os.getpid())
    assert results[1] not in (None, results[0])


async def begin(stage: Stage) -> tuple[Runner, Task, "asyncio.Task[bool]"]:
    inside = asyncio.Event()

    async def hang() -> None:
        inside.set()
        await asyncio.Event().wait()

    stage.handlers["hang"] = hang
    runner = stage.runner()
    task = await stage.put("hang")
    job = asyncio.create_task(runner.run(task.id, 1))
    await inside.wait()
    return runner, task, job


def beat(stage: Stage, *held: Any) -> Beat:
    return Beat(WORKER, held, asyncio.get_running_loop().time())


async def test_a_cancelled_task_ends_cancelled(stage: Stage) -> None:
    runner, task, job = await begin(stage)
    await stage.runtime.tasks.cancel(task.id)
    runner.cancel(task.id)
    async with asyncio.timeout(60):
        await job
        await runner.idle()
    assert (await stored(stage.runtime.database, task.id)).status is Status.CANCELLED


async def test_what_the_database_does_not_say_is_ours_is_dropped(stage: Stage) -> None:
    runner, task, job = await begin(stage)
    before = await stored(stage.runtime.database, task.id)
    runner.compare(beat(stage))
    async with asyncio.timeout(60):
        await job
    assert await stored(stage.runtime.database, task.id) == before
    assert stage.ended == []


async def test_draining_hands_tasks_back_uncharged(stage: Stage) -> None:
    runner, task, job = await begin(stage)
    runner.interrupt_all(Cause.RELEASE)
    async with asyncio.timeout(60):
        await job
    after = await stored(stage.runtime.database, task.id)
    assert (after.status, after.current_retry_count, after.lost_count) == (Status.QUEUED, 0, 0)


async def claim_unheard(stage: Stage, task: Task, worker_id: UUID) -> None:
    """Claim a task of the handler `add`, as if the answer never came."""
    ask = Ask(
        task_id=task.id,
        attempt=1,
        worker_id=worker_id,
        handlers=frozenset({"add"}),
        cells=lambda: 1,
    )
    await stage.attempts.claim(ask)


async def test_what_the_database_says_we_run_but_we_do_not_is_given_back(stage: Stage) -> None:
    stage.handlers["add"] = add
    task = await stage.put("add")
    other = await stage.put("add")
    for one, worker_id in ((task, WORKER), (other, OTHER_WORKER)):
        await claim_unheard(stage, one, worker_id)
    runner = stage.runner()
    held = await stage.runtime.database.read(lambda c: workers.held(c, WORKER))
    runner.compare(beat(stage, *held))
    runner.compare(beat(stage, *held))
    async with asyncio.timeout(60):
        while (await stored(stage.runtime.database, task.id)).status is Status.RUNNING:
            await settle()
    after = await stored(stage.runtime.database, task.id)
    assert (after.status, after.lost_count, after.current_retry_count) == (Status.QUEUED, 1, 0)
    assert (await stored(stage.runtime.database, other.id)).status is Status.RUNNING


async def test_a_lost_answer_is_noticed_while_other_claims_are_under_way(stage: Stage) -> None:
    stage.handlers["add"] = add
    task = await stage.put("add")
    await claim_unheard(stage, task, WORKER)
    runner = stage.runner()
    held = await stage.runtime.database.read(lambda c: workers.held(c, WORKER))

    async def claim_for_ever() -> None:
        while True:
            await runner.run(UUID(int=7), 1)

    claims = [asyncio.create_task(claim_for_ever()) for _ in range(2)]
    await settle()
    runner.compare(beat(stage, *held))
    runner.compare(beat(stage, *held))
    async with asyncio.timeout(60):
        while (await stored(stage.runtime.database, task.id)).status is Status.RUNNING:
            await settle()
    for one in claims:
        one.cancel()
    assert (await stored(stage.runtime.database, task.id)).status is Status.QUEUED


async def test_the_next_attempt_is_reached_while_the_one_before_cleans_up(stage: Stage) -> None:
    """The lease was lost, and this very worker took the task again under a new id."""
    order: list[str] = []
    told, clean = asyncio.Event(), asyncio.Event()

    async def slow_to_stop(context: Context) -> None:
        order.append(f"start {context.attempt}")
        try:
            await asyncio.Event().wait()
        finally:
            if context.attempt == 1:
                told.set()
                await clean.wait()

    stage.handlers["slow"] = slow_to_stop
    stage.executor = Executor(2, replace(LIMITS, grace=5))
    runner = stage.runner()
    task = await stage.put("slow")
    first = asyncio.create_task(runner.run(task.id, 1))
    await until(lambda: order == ["start 1"])
    runner.interrupt_all(Cause.LOST)
    await told.wait()
    lost = await stage.runtime.database.read(lambda c: workers.held(c, WORKER))
    await stage.attempts.rescue([one.task_id for one in lost], lambda _: True)
    rescued = await stored(stage.runtime.database, task.id)
    trusted = rescued._replace(lost_count=0)
    await stage.runtime.database.write(lambda c: tasks.write(c, rescued, trusted))
    second = asyncio.create_task(runner.run(task.id, 2))
    await until(lambda: order == ["start 1", "start 2"])
    clean.set()
    await first
    await stage.runtime.tasks.cancel(task.id)
    runner.cancel(task.id)
    async with asyncio.timeout(60):
        await second
        await runner.idle()
    assert (await stored(stage.runtime.database, task.id)).status is Status.CANCELLED


async def test_what_is_being_claimed_is_released_too(stage: Stage) -> None:
    async def sleep() -> None:
        await asyncio.sleep(3600)

    stage.handlers = {"sleep": sleep}
    runner = stage.runner()
    task = await stage.put("sleep")
    job = asyncio.create_task(runner.run(task.id, 1))
    await asyncio.sleep(0)  # its claim is under way
    runner.interrupt_all(Cause.RELEASE)
    async with asyncio.timeout(60):
        assert await job
    after = await stored(stage.runtime.database, task.id)
    assert (after.status, after.attempt, after.lost_count) == (Status.QUEUED, 1, 0)
