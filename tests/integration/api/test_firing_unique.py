"""Schedules whose tasks have a unique key."""

import json

import pytest

from taskq_server.domain.errors import UniqueConflict
from taskq_server.domain.ids import Mark, is_marked
from taskq_server.domain.requests import NewTask
from taskq_server.domain.schedule import CatchUp, Overlap
from taskq_server.domain.task import Status, TaskDetails
from taskq_server.runtime import Runtime
from taskq_server.services.firing import Firing
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.unique import check_keys
from tests.support.callers import CALLER
from tests.support.schedules import (
    ECHO,
    Time,
    at,
    fired_tasks,
    fires,
    get,
    make_schedule,
    put,
)

UNIQUE = {"handler": "taskq.echo", "payload": {"value": 2}, "unique_key": "k"}


@pytest.fixture
async def holder(runtime: Runtime, worker: ScriptedWorker) -> TaskDetails:
    """A task that was submitted and holds the key."""
    new = NewTask("taskq.echo", ECHO["payload"], unique_key="k")  # type: ignore[arg-type]
    return (await runtime.submit.one(CALLER, new)).details


async def test_a_time_whose_key_is_held_is_skipped(
    runtime: Runtime,
    firing: Firing,
    time: Time,
    worker: ScriptedWorker,
    holder: TaskDetails,
) -> None:
    await put(runtime, make_schedule(task=UNIQUE), make_schedule("free"))
    time.passes(minutes=1)
    await firing.sweep()
    after = await get(runtime)
    assert (after.fired, after.skipped, after.missed, after.last_task_id) == (0, 1, 0, None)
    assert len(await fires(runtime, "free")) == 1
    await worker.succeed(await worker.claim(str(holder.task.id)), 1)
    time.passes(minutes=1)
    await firing.sweep()
    ((moment, task_id),) = await fires(runtime)
    assert [moment] == at("12:02:00")
    assert is_marked(task_id, Mark.UNIQUE)
    assert is_marked(task_id, Mark.SCHEDULED)
    found = await runtime.read.get(CALLER, task_id)
    assert found.unique_key == "k"
    assert found.schedule is not None
    await check_keys(runtime)


async def test_a_time_whose_key_is_refused_is_missed(
    runtime: Runtime, firing: Firing, time: Time, holder: TaskDetails
) -> None:
    await put(runtime, make_schedule(task={**UNIQUE, "on_conflict": "reject"}))
    time.passes(minutes=1)
    await firing.sweep()
    after = await get(runtime)
    assert (after.fired, after.skipped, after.missed) == (0, 0, 1)
    assert str(holder.task.id) in str(after.last_error)


async def test_a_time_may_replace_what_its_holder_will_run(
    runtime: Runtime, firing: Firing, time: Time, holder: TaskDetails
) -> None:
    await put(runtime, make_schedule(task={**UNIQUE, "on_conflict": "replace"}))
    time.passes(minutes=1)
    await firing.sweep()
    found = await runtime.read.get(CALLER, holder.task.id)
    assert json.loads(found.task.payload) == {"value": 2}
    after = await get(runtime)
    assert (after.fired, after.skipped) == (0, 1)
    assert await fires(runtime) == []


async def test_of_times_with_one_key_that_come_together_one_gets_a_task(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule(task=UNIQUE, catch_up=CatchUp.ALL))
    time.passes(minutes=10)
    await firing.sweep()
    after = await get(runtime)
    assert (after.fired, after.skipped, after.missed) == (1, 9, 0)
    assert [each for each, _ in await fires(runtime)] == at("12:01:00")
    await check_keys(runtime)


async def test_a_task_that_is_cancelled_for_the_next_one_frees_its_key_for_it(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule(task=UNIQUE, overlap=Overlap.CANCEL))
    for _ in range(2):
        time.passes(minutes=1)
        await firing.sweep()
    first, second = await fired_tasks(runtime)
    assert (first.status, second.status) == (Status.CANCELLED, Status.QUEUED)
    await check_keys(runtime)


async def test_fire_now_is_refused_while_another_task_holds_the_key(
    runtime: Runtime, firing: Firing, time: Time, holder: TaskDetails
) -> None:
    await put(runtime, made := make_schedule(task=UNIQUE))
    with pytest.raises(UniqueConflict, match=str(holder.task.id)):
        await firing.fire_now(CALLER, made)
    await runtime.change.cancel(CALLER, holder.task.id)
    assert (await firing.fire_now(CALLER, made)).unique_key == "k"
