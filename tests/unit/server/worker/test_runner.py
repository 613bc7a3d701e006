"""From a doorbell to the end of the attempt, on a real database."""

import asyncio
import json
import os
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from taskq_server import Context
from taskq_server.crud import beats, tasks
from taskq_server.domain.admission import ClaimRequest
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import TaskNotFound
from taskq_server.domain.task import Status, Task
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.running import StopReason
from taskq_server.worker.liveness.lease import Heartbeat
from taskq_server.worker.runner import Runner
from tests.support.callers import CALLER
from tests.unit.server.factories import (
    OTHER_WORKER,
    WORKER,
    publish,
    rows_of,
    stored,
)
from tests.unit.server.worker.attempts import LIMITS, settle, until
from tests.unit.server.worker.harness import RunnerHarness

PID = "tests.pid"


async def add(a: int, b: int) -> int:
    return a + b


async def test_a_doorbell_becomes_a_result(harness: RunnerHarness) -> None:
    harness.handlers["add"] = add
    task = await harness.put("add", {"a": 40, "b": 2})
    after = await harness.run(task)
    assert (after.status, after.attempt, after.worker_id) == (Status.SUCCEEDED, 1, WORKER)
    assert (await harness.runtime.read.get(CALLER, task.id)).result == "42"
    assert [ended.task for ended in harness.ended] == [after]


async def test_a_stale_doorbell_does_nothing(harness: RunnerHarness) -> None:
    harness.handlers["add"] = add
    task = await harness.put("add", {"a": 1, "b": 2})
    done = await harness.run(task)
    assert await harness.run(task) == done
    await harness.runner().run(UUID(int=1), 1)
    assert len(await rows_of(harness.runtime.database)) == 1


async def test_a_handler_that_is_not_ours_is_left_alone(harness: RunnerHarness) -> None:
    harness.handlers["add"] = add
    task = await harness.put("another")
    assert await harness.run(task) == task


async def test_the_last_progress_is_in_the_row(harness: RunnerHarness) -> None:
    async def steps(context: Context) -> None:
        await context.progress(1, 2, "one")
        await context.progress(2, 2, "two")

    harness.handlers["steps"] = steps
    after = await harness.run(await harness.put("steps"))
    assert after.status is Status.SUCCEEDED
    assert json.loads(after.progress or "") == {"current": 2, "total": 2, "message": "two"}


class Float(float):
    """Like numpy.float64."""


@pytest.mark.parametrize("number", [Float(0.5), 2**64, float("nan")])
async def test_no_progress_can_keep_an_attempt_from_ending(
    harness: RunnerHarness, number: float
) -> None:
    async def odd(context: Context) -> None:
        await context.progress(number)

    harness.handlers["odd"] = odd
    after = await harness.run(await harness.put("odd"))
    assert after.status is not Status.RUNNING


async def test_no_result_can_keep_an_attempt_from_ending(harness: RunnerHarness) -> None:
    async def odd() -> Any:
        return (1 // (n - 1) for n in range(3))

    harness.handlers["odd"] = odd
    after = await harness.run(await harness.put("odd"))
    assert after.status is Status.FAILED


async def test_a_child_is_one_task_however_often_its_parent_runs(harness: RunnerHarness) -> None:
    await publish(harness.runtime.database, "child")

    async def parent(context: Context) -> str:
        child = await context.submit("child", {"n": 1}, title="a child")
        if context.attempt == 1:
            raise RuntimeError("once more")
        return str(child)

    harness.handlers["parent"] = parent
    task = await harness.put("parent", traceparent="00-trace", backoff_base_seconds=1e-6)
    first = await harness.run(task)
    assert first.status is Status.RETRYING
    await asyncio.sleep(0.001)
    assert (await harness.run(first)).status is Status.SUCCEEDED
    child = UUID(json.loads((await harness.runtime.read.get(CALLER, task.id)).result or ""))
    found = await stored(harness.runtime.database, child)
    assert (found.title, found.traceparent) == ("a child", "00-trace")
    assert len(await rows_of(harness.runtime.database)) == 2


async def test_a_child_belongs_to_the_namespace_of_its_parent(harness: RunnerHarness) -> None:
    await publish(harness.runtime.database, "child", namespace="theirs")

    async def parent(context: Context) -> str:
        return str(await context.submit("child"))

    harness.handlers["parent"] = parent
    after = await harness.run(await harness.put("parent", namespace="theirs"))
    assert after.status is Status.SUCCEEDED
    caller = Caller("theirs")
    child = UUID(json.loads((await harness.runtime.read.get(caller, after.id)).result or ""))
    assert (await stored(harness.runtime.database, child)).namespace == "theirs"


@pytest.mark.parametrize("key_id", ["k" * 12, None])
async def test_a_child_is_its_parents_keys_whatever_that_may_run(
    harness: RunnerHarness, key_id: str | None
) -> None:
    """No scope is asked of a worker: its code decides what a task of a handler leads to."""
    await publish(harness.runtime.database, "child")

    async def parent(context: Context) -> str:
        return str(await context.submit("child"))

    harness.handlers["parent"] = parent
    after = await harness.run(await harness.put("parent", submitted_by=key_id))
    assert after.status is Status.SUCCEEDED
    result = (await harness.runtime.read.get(CALLER, after.id)).result
    child = await stored(harness.runtime.database, UUID(json.loads(result or "")))
    assert child.submitted_by == key_id
    of_the_key = Caller("default", frozenset({"tasks:run:parent"}), key_id=key_id)
    found = await asyncio.gather(
        *(harness.runtime.read.get(of_the_key, one.id) for one in (after, child)),
        return_exceptions=True,
    )
    assert [isinstance(each, TaskNotFound) for each in found] == [key_id is None] * 2


async def test_a_child_of_a_handler_whose_schema_cannot_be_used_is_an_error(
    harness: RunnerHarness,
) -> None:
    await publish(harness.runtime.database, "child", schema='{"required": true}')

    async def parent(context: Context) -> str:
        return str(await context.submit("child"))

    harness.handlers["parent"] = parent
    await harness.run(await harness.put("parent"))
    (ended,) = harness.ended
    assert ended.attempt.error_type == "UnusableHandler"
    assert "handler child: the JSON Schema" in (ended.attempt.error_message or "")


async def test_a_quarantined_task_runs_in_another_process(harness: RunnerHarness) -> None:
    async def pid() -> int:
        return os.getpid()

    harness.handlers[PID] = pid
    trusted = await harness.put(PID)
    assert (await harness.run(trusted)).status is Status.SUCCEEDED
    quarantined = await harness.put(PID, lost_count=1, attempt=1)
    after = await harness.run(quarantined)
    assert (after.status, after.lost_count) == (Status.SUCCEEDED, 0)
    results = [
        (await harness.runtime.read.get(CALLER, one.id)).result for one in (trusted, quarantined)
    ]
    assert results[0] == str(os.getpid())
    assert results[1] not in (None, results[0])


async def begin(harness: RunnerHarness) -> tuple[Runner, Task, "asyncio.Task[bool]"]:
    inside = asyncio.Event()

    async def hang() -> None:
        inside.set()
        await asyncio.Event().wait()

    harness.handlers["hang"] = hang
    runner = harness.runner()
    task = await harness.put("hang")
    job = asyncio.create_task(runner.run(task.id, 1))
    await inside.wait()
    return runner, task, job


def beat(harness: RunnerHarness, *held: Any) -> Heartbeat:
    return Heartbeat(WORKER, held, asyncio.get_running_loop().time())


async def test_a_cancelled_task_ends_cancelled(harness: RunnerHarness) -> None:
    runner, task, job = await begin(harness)
    await harness.runtime.change.cancel(CALLER, task.id)
    runner.cancel(task.id)
    async with asyncio.timeout(60):
        await job
        await runner.idle()
    assert (await stored(harness.runtime.database, task.id)).status is Status.CANCELLED


async def test_what_the_database_does_not_say_is_ours_is_dropped(harness: RunnerHarness) -> None:
    runner, task, job = await begin(harness)
    before = await stored(harness.runtime.database, task.id)
    runner.compare(beat(harness))
    async with asyncio.timeout(60):
        await job
    assert await stored(harness.runtime.database, task.id) == before
    assert harness.ended == []


async def test_draining_hands_tasks_back_uncharged(harness: RunnerHarness) -> None:
    runner, task, job = await begin(harness)
    runner.interrupt_all(StopReason.RELEASE)
    async with asyncio.timeout(60):
        await job
    after = await stored(harness.runtime.database, task.id)
    assert (after.status, after.current_retry_count, after.lost_count) == (Status.QUEUED, 0, 0)


async def claim_unheard(harness: RunnerHarness, task: Task, worker_id: UUID) -> None:
    """Claim a task of the handler `add`, as if the answer never came."""
    ask = ClaimRequest(
        task_id=task.id,
        attempt=1,
        worker_id=worker_id,
        namespaces=frozenset({"default"}),
        handlers=frozenset({"add"}),
        quarantine_room=lambda: 1,
    )
    await harness.attempts.claim(ask)


async def test_what_the_database_says_we_run_but_we_do_not_is_given_back(
    harness: RunnerHarness,
) -> None:
    harness.handlers["add"] = add
    task = await harness.put("add")
    other = await harness.put("add")
    for one, worker_id in ((task, WORKER), (other, OTHER_WORKER)):
        await claim_unheard(harness, one, worker_id)
    runner = harness.runner()
    held = (
        await harness.runtime.database.read(
            lambda c: beats.look(c, WORKER, ["default"], all_namespaces=False)
        )
    ).held
    runner.compare(beat(harness, *held))
    runner.compare(beat(harness, *held))
    async with asyncio.timeout(60):
        while (await stored(harness.runtime.database, task.id)).status is Status.RUNNING:
            await settle()
    after = await stored(harness.runtime.database, task.id)
    assert (after.status, after.lost_count, after.current_retry_count) == (Status.QUEUED, 1, 0)
    assert (await stored(harness.runtime.database, other.id)).status is Status.RUNNING


async def test_a_lost_answer_is_noticed_while_other_claims_are_under_way(
    harness: RunnerHarness,
) -> None:
    harness.handlers["add"] = add
    task = await harness.put("add")
    await claim_unheard(harness, task, WORKER)
    runner = harness.runner()
    held = (
        await harness.runtime.database.read(
            lambda c: beats.look(c, WORKER, ["default"], all_namespaces=False)
        )
    ).held

    async def claim_for_ever() -> None:
        while True:
            await runner.run(UUID(int=7), 1)

    claims = [asyncio.create_task(claim_for_ever()) for _ in range(2)]
    await settle()
    runner.compare(beat(harness, *held))
    runner.compare(beat(harness, *held))
    async with asyncio.timeout(60):
        while (await stored(harness.runtime.database, task.id)).status is Status.RUNNING:
            await settle()
    for one in claims:
        one.cancel()
    assert (await stored(harness.runtime.database, task.id)).status is Status.QUEUED


async def test_the_next_attempt_is_reached_while_the_one_before_cleans_up(
    harness: RunnerHarness,
) -> None:
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

    harness.handlers["slow"] = slow_to_stop
    harness.executor = Executor(2, replace(LIMITS, grace=5))
    runner = harness.runner()
    task = await harness.put("slow")
    first = asyncio.create_task(runner.run(task.id, 1))
    await until(lambda: order == ["start 1"])
    runner.interrupt_all(StopReason.LOST)
    await told.wait()
    lost = (
        await harness.runtime.database.read(
            lambda c: beats.look(c, WORKER, ["default"], all_namespaces=False)
        )
    ).held
    await harness.attempts.rescue([one.task_id for one in lost], lambda _: True)
    rescued = await stored(harness.runtime.database, task.id)
    trusted = rescued._replace(lost_count=0)
    await harness.runtime.database.write(lambda c: tasks.write(c, rescued, trusted))
    second = asyncio.create_task(runner.run(task.id, 2))
    await until(lambda: order == ["start 1", "start 2"])
    clean.set()
    await first
    await harness.runtime.change.cancel(CALLER, task.id)
    runner.cancel(task.id)
    async with asyncio.timeout(60):
        await second
        await runner.idle()
    assert (await stored(harness.runtime.database, task.id)).status is Status.CANCELLED


async def test_what_is_being_claimed_is_released_too(harness: RunnerHarness) -> None:
    async def sleep() -> None:
        await asyncio.sleep(3600)

    harness.handlers = {"sleep": sleep}
    runner = harness.runner()
    task = await harness.put("sleep")
    job = asyncio.create_task(runner.run(task.id, 1))
    await asyncio.sleep(0)  # its claim is under way
    runner.interrupt_all(StopReason.RELEASE)
    async with asyncio.timeout(60):
        assert await job
    after = await stored(harness.runtime.database, task.id)
    assert (after.status, after.attempt, after.lost_count) == (Status.QUEUED, 1, 0)
