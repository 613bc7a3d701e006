"""A schedule fires: what is submitted, when, and beside which tasks of its own."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from taskq_server.core.database import Connection
from taskq_server.crud import schedules
from taskq_server.crud.tables import task_counts
from taskq_server.domain.errors import PermissionDenied, ScheduleNotFound, UnknownHandler
from taskq_server.domain.ids import Mark, is_marked
from taskq_server.domain.schedule import CatchUp, Overlap
from taskq_server.domain.task import Status
from taskq_server.runtime import Runtime
from taskq_server.services.firing import Firing
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER
from tests.support.schedules import (
    ECHO,
    NOON,
    Time,
    at,
    fired_tasks,
    fires,
    get,
    make_schedule,
    put,
)

HOUR = 3600.0


async def test_a_task_is_submitted_at_its_time(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    task = {**ECHO, "title": "a title", "tags": ["b", "a"], "queue": "q", "priority": "high"}
    task["keep_seconds"] = 60.0
    await put(runtime, make_schedule(task=task, key_id="k" * 12))
    time.passes(seconds=59.9)
    await firing.sweep()
    assert await fires(runtime) == []
    time.passes(seconds=0.1)
    await firing.sweep()
    ((fire_at, task_id),) = await fires(runtime)
    assert fire_at == NOON + timedelta(minutes=1)
    assert is_marked(task_id, Mark.SCHEDULED)
    found = await runtime.read.get(CALLER, task_id)
    assert (found.task.title, found.tags, found.task.queue) == ("a title", ("a", "b"), "q")
    assert (found.keep_seconds, found.task.submitted_by) == (60.0, "k" * 12)
    assert found.task.status is Status.QUEUED
    after = await get(runtime)
    assert (after.fired, after.skipped, after.missed, after.version) == (1, 0, 0, 1)
    assert (after.last_fire_at, after.last_task_id) == (fire_at, task_id)
    assert after.next_fire_at == after.due_at == NOON + timedelta(minutes=2)
    ledger = select(func.sum(task_counts.c.amount)).where(task_counts.c.queue == "q")
    assert (await runtime.database.read(lambda c: c.execute(ledger))).scalar_one() == 1
    names = await runtime.database.read(lambda c: schedules.fires_of(c, [task_id, UUID(int=4)]))
    assert names == {task_id: ("s", fire_at)}


async def test_jitter_delays_the_task_and_not_its_time(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, made := make_schedule(jitter_seconds=30.0))
    assert made.due_at is not None
    assert made.next_fire_at is not None
    assert made.next_fire_at < made.due_at < made.next_fire_at + timedelta(seconds=30)
    time.now = made.due_at - timedelta(microseconds=1)
    await firing.sweep()
    assert await fires(runtime) == []
    time.now = made.due_at
    await firing.sweep()
    assert [moment for moment, _ in await fires(runtime)] == [made.next_fire_at]


@pytest.mark.parametrize(
    ("policy", "window", "fired", "missed"),
    [
        (CatchUp.LAST, 7 * 24 * HOUR, [71], 71),
        (CatchUp.ALL, 7 * 24 * HOUR, list(range(72)), 0),
        (CatchUp.ALL, 24 * HOUR, list(range(48, 72)), 48),
        (CatchUp.NONE, 7 * 24 * HOUR, [], 72),
        (CatchUp.LAST, 600.0, [], 72),
    ],
)
async def test_catching_up_after_three_days(
    runtime: Runtime,
    firing: Firing,
    time: Time,
    policy: CatchUp,
    window: float,
    fired: list[int],
    missed: int,
) -> None:
    made = make_schedule(cron="30 * * * *", catch_up=policy, catch_up_seconds=window)
    await put(runtime, made)
    time.passes(days=3)
    await firing.sweep()
    first = NOON + timedelta(minutes=30)
    assert [each for each, _ in await fires(runtime)] == [first + timedelta(hours=n) for n in fired]
    after = await get(runtime)
    assert (after.fired, after.missed) == (len(fired), missed)
    assert after.next_fire_at == first + timedelta(days=3)


async def test_a_time_on_time_is_no_missed_one(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, *(make_schedule(each.value, catch_up=each) for each in CatchUp))
    time.passes(seconds=60 + 29)
    await firing.sweep()
    for each in CatchUp:
        assert [moment for moment, _ in await fires(runtime, each.value)] == at("12:01:00")


async def test_all_is_a_thousand_at_most(runtime: Runtime, firing: Firing, time: Time) -> None:
    await put(runtime, make_schedule(every_seconds=60.0, catch_up=CatchUp.ALL))
    time.passes(days=1, seconds=31)
    await firing.sweep()
    after = await get(runtime)
    assert (after.fired, after.missed) == (1_000, 440)
    assert len(await fires(runtime)) == 1_000


async def end(runtime: Runtime, worker: ScriptedWorker, task_id: UUID | None) -> None:
    await worker.succeed(await worker.claim(str(task_id)), 1)


async def test_skip_while_the_last_task_is_not_final(
    runtime: Runtime, firing: Firing, time: Time, worker: ScriptedWorker
) -> None:
    await put(runtime, make_schedule(overlap=Overlap.SKIP))
    for _ in range(3):
        time.passes(minutes=1)
        await firing.sweep()
    after = await get(runtime)
    assert (after.fired, after.skipped) == (1, 2)
    await end(runtime, worker, after.last_task_id)
    time.passes(minutes=1)
    await firing.sweep()
    assert [each for each, _ in await fires(runtime)] == at("12:01:00", "12:04:00")


async def test_queue_remembers_the_newest_time(
    runtime: Runtime, firing: Firing, time: Time, worker: ScriptedWorker
) -> None:
    await put(runtime, make_schedule(overlap=Overlap.QUEUE, ends_at=NOON + timedelta(minutes=4)))
    for _ in range(4):
        time.passes(minutes=1)
        await firing.sweep()
    after = await get(runtime)
    assert (after.fired, after.skipped) == (1, 2)
    assert [after.queued_fire_at] == at("12:04:00")
    await end(runtime, worker, after.last_task_id)
    time.passes(seconds=10)
    await firing.sweep()
    assert [each for each, _ in await fires(runtime)] == at("12:01:00", "12:04:00")
    after = await get(runtime)
    assert (after.fired, after.skipped, after.queued_fire_at) == (2, 2, None)
    assert (after.due_at, after.next_fire_at) == (None, None)


async def test_cancel_ends_a_waiting_task_at_once(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule(overlap=Overlap.CANCEL))
    for _ in range(2):
        time.passes(minutes=1)
        await firing.sweep()
    first, second = await fired_tasks(runtime)
    assert (first.status, second.status) == (Status.CANCELLED, Status.QUEUED)


async def test_cancel_asks_a_running_task_and_then_waits(
    runtime: Runtime, firing: Firing, time: Time, worker: ScriptedWorker
) -> None:
    await put(runtime, make_schedule(overlap=Overlap.CANCEL))
    time.passes(minutes=1)
    await firing.sweep()
    running = await worker.claim(str((await get(runtime)).last_task_id))
    for _ in range(2):
        time.passes(minutes=1)
        await firing.sweep()
    (only,) = await fired_tasks(runtime)
    assert (only.status, only.cancel_requested_at) == (Status.RUNNING, NOON + timedelta(minutes=2))
    after = await get(runtime)
    assert ([after.queued_fire_at], after.skipped) == (at("12:03:00"), 1)
    await worker.fail(running, fatal=True)
    time.passes(seconds=10)
    await firing.sweep()
    assert [each for each, _ in await fires(runtime)] == at("12:01:00", "12:03:00")


async def test_allow_submits_whatever_the_last_task_does(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule(overlap=Overlap.ALLOW))
    for _ in range(3):
        time.passes(minutes=1)
        await firing.sweep()
    assert len(await fires(runtime)) == 3


async def test_a_clock_that_was_set_back_fires_no_time_twice(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule())
    time.passes(minutes=1)
    await firing.sweep()
    seen = await get(runtime)
    again = replace(seen, next_fire_at=seen.last_fire_at, due_at=seen.last_fire_at)
    await runtime.database.write(lambda c: schedules.write(c, again))
    await firing.sweep()
    assert len(await fires(runtime)) == 1
    after = await get(runtime)
    assert (after.fired, after.next_fire_at) == (1, NOON + timedelta(minutes=2))


async def test_a_schedule_that_was_changed_meanwhile_is_left_to_the_next_sweep(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule())
    seen = await get(runtime)

    async def work(connection: Connection) -> int:
        stale = replace(seen, version=seen.version + 1)
        return len(await schedules.take(connection, [stale]))

    assert await runtime.database.write(work) == 0


async def test_fire_now_leaves_the_next_time_as_it_is(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule(paused_at=NOON, overlap=Overlap.SKIP))
    before = await get(runtime)
    first = await firing.fire_now(CALLER, before)
    second = await firing.fire_now(CALLER, before)
    assert first.schedule is not None
    assert first.schedule == ("s", NOON)
    assert [task_id for _, task_id in await fires(runtime)] == [first.task.id, second.task.id]
    after = await get(runtime)
    assert (after.fired, after.next_fire_at) == (2, before.next_fire_at)
    assert after.last_task_id == second.task.id


async def test_fire_now_is_judged_as_a_submit(runtime: Runtime, firing: Firing, time: Time) -> None:
    made = make_schedule()
    with pytest.raises(ScheduleNotFound):
        await firing.fire_now(CALLER, made)
    nobodys = make_schedule("n", task={"handler": "nobody.knows", "payload": {}})
    await put(runtime, made, nobodys)
    with pytest.raises(UnknownHandler):
        await firing.fire_now(CALLER, nobodys)
    with pytest.raises(PermissionDenied):
        await firing.fire_now(replace(CALLER, scopes=frozenset({"tasks:operate"})), made)
    assert (await get(runtime)).fired == 0


async def test_a_deleted_schedule_leaves_its_tasks(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, made := make_schedule())
    time.passes(minutes=1)
    await firing.sweep()
    await runtime.database.write(lambda c: schedules.delete(c, made.id))
    time.passes(minutes=1)
    await firing.sweep()
    ((moment, task_id),) = await fires(runtime)
    names = await runtime.database.read(lambda c: schedules.fires_of(c, [task_id]))
    assert names == {task_id: ("s", moment)}


async def test_a_deleted_task_takes_its_time_along(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule(overlap=Overlap.SKIP))
    time.passes(minutes=1)
    await firing.sweep()
    ((_, task_id),) = await fires(runtime)
    await runtime.change.delete(CALLER, task_id)
    assert await fires(runtime) == []
    time.passes(minutes=1)
    await firing.sweep()
    assert [each for each, _ in await fires(runtime)] == at("12:02:00")
