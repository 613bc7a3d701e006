"""Schedules fire: what is submitted, when, and exactly once for each time."""

import asyncio
import json
from dataclasses import asdict, replace
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, insert, select

from taskq_server.core.database import Connection
from taskq_server.crud import schedules
from taskq_server.crud.schedules import NewFire
from taskq_server.crud.tables import schedule_fires, task_counts
from taskq_server.crud.tables import schedules as table
from taskq_server.domain.errors import PermissionDenied, ScheduleNotFound, UnknownHandler
from taskq_server.domain.ids import Mark, is_marked
from taskq_server.domain.schedule import CatchUp, Overlap
from taskq_server.domain.task import Status
from taskq_server.runtime import Runtime, open_runtime
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
    fleet,
    get,
    make_schedule,
    put,
)

HOUR = 3600.0


@pytest.fixture
def time(worker: ScriptedWorker) -> Time:
    return Time()


@pytest.fixture
def firing(runtime: Runtime, time: Time) -> Firing:
    return fleet(runtime, time)


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


async def test_two_fleets_racing_for_an_hour_give_each_time_one_task(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    names = [f"s{number}" for number in range(5)]
    await put(runtime, *(make_schedule(name, every_seconds=20.0) for name in names))
    async with open_runtime(runtime.settings) as other:
        ours, theirs = Time(), Time(NOON + timedelta(seconds=3))
        janitors = [fleet(runtime, ours), fleet(runtime, ours), fleet(other, theirs)]
        for _ in range(3600 // 20):
            ours.passes(seconds=20)
            theirs.passes(seconds=20)
            await asyncio.gather(*(each.sweep() for each in janitors))
        await janitors[0].sweep()
    for name in names:
        moments = [moment for moment, _ in await fires(runtime, name)]
        assert moments == [NOON + timedelta(seconds=20 * n) for n in range(1, 181)]
        after = await get(runtime, name)
        assert (after.fired, after.skipped, after.missed) == (180, 0, 0)
    stored = await fired_tasks(runtime, "s0")
    assert len({task.id for task in stored}) == 180


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


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"task": {"handler": "nobody.knows", "payload": {}}}, "nobody.knows"),
        ({"task": {"handler": "taskq.sleep", "payload": {"seconds": "x"}}}, "/payload/seconds"),
        ({"globs": ("tasks:run:other",)}, "tasks:run:taskq.echo"),
        ({"globs": ()}, "tasks:run:taskq.echo"),
        ({"task": {"handler": "taskq.echo", "payload": 5}}, "cannot read"),
        ({"timezone": "Nowhere/At_All"}, "Nowhere/At_All"),
    ],
)
async def test_what_cannot_be_stored_is_told_and_keeps_nobody_from_firing(
    runtime: Runtime, firing: Firing, time: Time, changes: dict[str, Any], error: str
) -> None:
    good = make_schedule("good")
    bad = replace(make_schedule("bad"), **_as_stored(changes))
    await put(runtime, bad, good)
    time.passes(minutes=1)
    await firing.sweep()
    assert len(await fires(runtime, "good")) == 1
    assert await fires(runtime, "bad") == []
    after = await get(runtime, "bad")
    assert after.last_error is not None
    assert error in after.last_error
    assert after.due_at == NOON + timedelta(minutes=2)
    if "timezone" not in changes:
        assert (after.missed, after.fired) == (1, 0)
        assert after.next_fire_at == NOON + timedelta(minutes=2)


def _as_stored(changes: dict[str, Any]) -> dict[str, Any]:
    if "task" not in changes:
        return changes
    made = make_schedule(task=changes["task"])
    return {"task": made.task, "handler": made.handler}


async def test_an_error_is_forgotten_once_it_fires(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    await put(runtime, make_schedule(last_error="it was", missed=1))
    time.passes(minutes=1)
    await firing.sweep()
    after = await get(runtime)
    assert (after.last_error, after.missed) == (None, 1)


async def test_quotas_refuse_tasks_of_schedules_as_those_of_submits(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    settings = runtime.settings.model_copy(update={"max_waiting": 3, "max_queues": 2})
    async with open_runtime(settings) as limited:
        time = Time()
        firing = fleet(limited, time)
        many = make_schedule("many", every_seconds=10.0, catch_up=CatchUp.ALL)
        queues = [make_schedule(q, task={**ECHO, "queue": q}, cron="0 13 * * *") for q in "abc"]
        await put(limited, many, *queues)
        time.passes(minutes=1, seconds=5)
        await firing.sweep()
        after = await get(limited, "many")
        assert (after.fired, after.missed) == (3, 3)
        assert after.last_error is not None
        time.passes(minutes=55)
        await limited.database.write(lambda c: schedules.delete(c, many.id))
        await asyncio.gather(
            *(limited.change.cancel(CALLER, one) for _, one in await fires(limited, "many"))
        )
        time.now = NOON + timedelta(hours=1)
        await fleet(limited, time).sweep()
        refused = [each for q in "abc" if (each := await get(limited, q)).missed]
        assert len(refused) == 2, "the default queue has tasks, and two may be in use"
        assert all("TASKQ_MAX_QUEUES" in str(each.last_error) for each in refused)


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


async def test_a_batch_takes_few_statements(runtime: Runtime, firing: Firing, time: Time) -> None:
    tasks = [{**ECHO, "tags": [f"t{n}"], "queue": f"q{n}"} for n in range(100)]
    await put(
        runtime,
        *(make_schedule(f"s{n}", overlap=Overlap.SKIP, task=tasks[n]) for n in range(100)),
    )
    time.passes(minutes=1)
    said: list[str] = []
    engine = runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    await firing.sweep()
    number = len(said)
    counted = await runtime.database.read(
        lambda c: c.execute(select(func.count()).select_from(schedule_fires))
    )
    assert counted.scalar_one() == 100
    assert number <= 25, said


async def test_a_thousand_of_ten_thousand_that_are_due_together_fire_in_groups(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    due = [make_schedule(f"d{number}") for number in range(1_000)]
    later = [make_schedule(f"l{number}", cron="0 0 1 1 *") for number in range(9_000)]
    rows = [{**asdict(each), "globs": json.dumps(each.globs)} for each in (*due, *later)]
    for start in range(0, len(rows), 1_000):
        some = rows[start : start + 1_000]
        await runtime.database.write(lambda c, some=some: c.execute(insert(table), some))  # type: ignore[misc]
    time.passes(minutes=1)
    said: list[str] = []
    engine = runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    began = monotonic()
    await firing.sweep()
    took = monotonic() - began
    print(f"{took:.1f} s, {len(said)} statements")
    counted = await runtime.database.read(
        lambda c: c.execute(select(func.count()).select_from(schedule_fires))
    )
    assert counted.scalar_one() == 1_000
    assert len(said) <= 200


async def test_large_tasks_of_many_times_are_stored_in_several_transactions(
    runtime: Runtime, firing: Firing, time: Time
) -> None:
    large = {**ECHO, "payload": {"value": "x" * 1_000}}
    await put(runtime, make_schedule(every_seconds=60.0, catch_up=CatchUp.ALL, task=large))
    time.passes(seconds=60_000)
    await firing.sweep()
    first = await get(runtime)
    assert 0 < first.fired < 1_000
    assert first.missed == 0
    await firing.sweep()
    assert (await get(runtime)).fired == 1_000
    moments = [moment for moment, _ in await fires(runtime)]
    assert moments == [NOON + timedelta(minutes=n) for n in range(1, 1_001)]


async def test_one_that_cannot_be_stored_at_all_keeps_no_other_from_firing(
    runtime: Runtime, firing: Firing, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    made = [make_schedule(name) for name in ("a", "bad", "c")]
    await put(runtime, *made)
    bad = made[1]
    assert bad.next_fire_at is not None
    taken = NewFire(bad.id, bad.next_fire_at, UUID(int=1), "default", "another")
    await runtime.database.write(lambda c: schedules.add_fire(c, taken))
    time.passes(minutes=1)
    await firing.sweep()
    assert [len(await fires(runtime, name)) for name in ("a", "bad", "c")] == [1, 0, 1]
    after = await get(runtime, "bad")
    assert after.due_at == NOON + timedelta(minutes=2)
    assert "log of a worker" in str(after.last_error)
    assert "cannot fire schedule bad" in caplog.text
