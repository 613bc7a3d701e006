"""Schedules that fire together: each time gets one task, and none keeps another from firing."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, insert, select

from taskq_server.crud import schedules
from taskq_server.crud.schedules import NewFire
from taskq_server.crud.tables import schedule_fires
from taskq_server.crud.tables import schedules as table
from taskq_server.domain.schedule import CatchUp, Overlap
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.firing import Firing
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER
from tests.support.schedules import (
    ECHO,
    NOON,
    Time,
    fired_tasks,
    fires,
    fleet,
    get,
    make_schedule,
    put,
)


async def test_two_fleets_racing_for_an_hour_give_each_time_one_task(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    names = [f"s{number}" for number in range(5)]
    await put(runtime, *(make_schedule(name, every_seconds=20.0) for name in names))
    ours, theirs = Time(), Time(NOON + timedelta(seconds=3))
    async with open_runtime(runtime.settings) as other, AsyncExitStack() as stack:
        fleets = fleet(runtime, ours), fleet(runtime, ours), fleet(other, theirs)
        janitors = [await stack.enter_async_context(each) for each in fleets]
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
    time = Time()
    async with (
        open_runtime(settings) as limited,
        fleet(limited, time) as firing,
        fleet(limited, time) as later,
    ):
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
        await later.sweep()
        refused = [each for q in "abc" if (each := await get(limited, q)).missed]
        assert len(refused) == 2, "the default queue has tasks, and two may be in use"
        assert all("TASKQ_MAX_QUEUES" in str(each.last_error) for each in refused)


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
