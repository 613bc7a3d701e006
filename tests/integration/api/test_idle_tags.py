"""Tags that no task has any more go, and no submit fails for it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from sqlalchemy import delete, event, insert, select, update

from taskq_server.crud.tables import tags, task_tags
from taskq_server.crud.tags import find, link
from taskq_server.domain.requests import NewTask, TaskChanges, TaskFilter
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import Queue, Status
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.submit import IdempotencyKey
from taskq_server.worker.arq_worker import Heads
from taskq_server.worker.janitor import Janitor
from taskq_server.worker.vanished import Vanished
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

MINUTE = timedelta(minutes=1)


def retagged(*names: str) -> TaskChanges:
    return TaskChanges(given=frozenset({"tags"}), tags=names)


def new(*names: str) -> NewTask:
    return NewTask(handler="taskq.echo", payload={"value": 1}, tags=list(names))


async def nothing() -> None:
    return


async def no_heads(_: Sequence[Queue]) -> dict[Queue, Heads]:
    return {}


async def takes_bells() -> bool:
    return True


class Time:
    """A janitor whose clock the test moves."""

    def __init__(self, runtime: Runtime) -> None:
        self.later = timedelta()
        attempts = runtime.attempts(has_failure_hooks=False)
        self.maintenance = Maintenance(
            runtime.database, lambda: runtime.clock() + self.later, attempts, runtime.dispatcher
        )
        self._janitor = Janitor(
            runtime.settings,
            self.maintenance,
            vanished=Vanished(self.maintenance, ["default"], 10.0),
            served=[],
            handlers={},
            namespaces=lambda: ["default"],
            heads=no_heads,
            takes_bells=takes_bells,
            has_room=lambda _: False,
            start=lambda _: None,
            replay_hooks=nothing,
            fire=nothing,
            bulk=nothing,
            declared=nothing,
            measure=nothing,
        )

    async def passes(self, minutes: float) -> None:
        self.later += minutes * MINUTE
        await self._janitor.tidy()


@pytest.fixture
def time(runtime: Runtime, worker: ScriptedWorker) -> Time:
    return Time(runtime)


async def stored(runtime: Runtime) -> list[str]:
    rows = await runtime.database.read(lambda c: c.execute(select(tags.c.name)))
    return sorted(rows.scalars())


async def listed(runtime: Runtime, name: str) -> set[UUID]:
    page = await runtime.read.list(CALLER, TaskFilter(tags=(name,)))
    return {item.task.id for item in page.items}


async def submitted(runtime: Runtime, *names: str) -> UUID:
    return (await runtime.submit.one(CALLER, new(*names))).details.task.id


async def by_delete(runtime: Runtime, time: Time, task_id: UUID) -> None:
    await runtime.change.delete(CALLER, task_id)


async def by_change(runtime: Runtime, time: Time, task_id: UUID) -> None:
    await runtime.change.update(CALLER, task_id, retagged("b"))


async def by_retention(runtime: Runtime, time: Time, task_id: UUID) -> None:
    await runtime.change.cancel(CALLER, task_id)
    time.later += timedelta(days=1)
    assert await time.maintenance.prune(Retention.of_all(timedelta(hours=23))) == 1


@pytest.mark.parametrize("lose", [by_delete, by_change, by_retention])
async def test_a_tag_goes_ten_minutes_after_its_last_task(
    runtime: Runtime, time: Time, lose: Callable[[Runtime, Time, UUID], Awaitable[None]]
) -> None:
    first, last = [await submitted(runtime, "a", "b") for _ in range(2)]
    await submitted(runtime, "b")
    await time.passes(15)
    await lose(runtime, time, first)
    await time.passes(15)
    assert await stored(runtime) == ["a", "b"]
    assert await listed(runtime, "a") == {last}
    await lose(runtime, time, last)
    await mark(runtime, "a", time)
    await time.passes(9.9)
    assert await stored(runtime) == ["a", "b"]
    await time.passes(1.2)
    assert await stored(runtime) == ["b"]


async def mark(runtime: Runtime, name: str, time: Time) -> None:
    """Say what the service would have, if its clock had been moved, too."""
    now = runtime.clock() + time.later
    done = update(tags).where(tags.c.name == name, tags.c.idle_since.is_not(None))
    await runtime.database.write(lambda c: c.execute(done.values(idle_since=now)))


async def test_a_tag_that_no_task_ever_had_goes_too(runtime: Runtime, time: Time) -> None:
    key = IdempotencyKey.of("key", {})
    await runtime.submit.one(CALLER, new(), key=key)
    await runtime.submit.one(CALLER, new("never"), key=key)
    await time.passes(9.9)
    assert await stored(runtime) == ["never"]
    await time.passes(1.2)
    assert await stored(runtime) == []


async def test_of_tags_that_an_older_version_made_nobody_knows_since_when_they_are_idle(
    runtime: Runtime, time: Time
) -> None:
    kept = await submitted(runtime, "kept")
    old = insert(tags).values(namespace="default", name="old")
    await runtime.database.write(lambda c: c.execute(old))
    forget = update(tags).values(idle_since=datetime(1970, 1, 1, tzinfo=UTC))
    await runtime.database.write(lambda c: c.execute(forget))
    await time.passes(0)
    await time.passes(10.9)
    assert await stored(runtime) == ["kept", "old"]
    await time.passes(0.2)
    assert await stored(runtime) == ["kept"]
    assert await listed(runtime, "kept") == {kept}


async def test_thousands_go_in_one_sweep(runtime: Runtime, time: Time) -> None:
    names = [f"t{n}" for n in range(2_500)]
    batch = [new(*names[n : n + 25]) for n in range(0, len(names), 25)]
    done = await runtime.submit.batch(CALLER, batch)
    await time.passes(12)
    for snapshot in done.details[1:]:
        await runtime.change.delete(CALLER, snapshot.task.id)
    await time.passes(12)
    assert await stored(runtime) == sorted(names[:25])


async def forget_tags(runtime: Runtime) -> None:
    for table in (task_tags, tags):
        await runtime.database.write(lambda c, table=table: c.execute(delete(table)))


async def test_who_finds_an_id_gone_resolves_the_name_anew(runtime: Runtime, time: Time) -> None:
    key = IdempotencyKey.of("key", {})
    plain = await submitted(runtime)
    known = await submitted(runtime, "a", "b")
    await forget_tags(runtime)
    one = await runtime.submit.one(CALLER, new("a", "c"), key=key)
    assert not one.replayed
    assert await listed(runtime, "a") == {one.details.task.id}
    await forget_tags(runtime)
    batch = await runtime.submit.batch(CALLER, [new("a"), new("b", "c"), new()])
    await forget_tags(runtime)
    changed = await runtime.change.update(CALLER, plain, retagged("a", "c"))
    assert changed.tags == ("a", "c")
    assert await listed(runtime, "c") == {plain}
    again = await runtime.submit.one(CALLER, new("a", "c"), key=key)
    assert (again.replayed, again.details.task.id) == (True, one.details.task.id)
    for task_id in (known, *(each.task.id for each in batch.details)):
        assert (await runtime.read.get(CALLER, task_id)).tags == ()


async def test_of_a_group_all_are_stored_once(runtime: Runtime, time: Time) -> None:
    await submitted(runtime, "a", "b")
    await forget_tags(runtime)
    keys = [IdempotencyKey.of(f"k{n % 20}", {}) for n in range(40)]
    done = await asyncio.gather(
        *(
            runtime.submit.one(
                CALLER, new(*["a", "b"][: n % 3]), key=keys[n % 20] if n % 2 else None
            )
            for n in range(40)
        )
    )
    tagged = {each.details.task.id for each in done if "a" in each.details.tags}
    assert await listed(runtime, "a") == tagged
    assert (await runtime.stats.read(CALLER)).tasks[Status.QUEUED] == len(
        {each.details.task.id for each in done}
    ) + 1


async def test_a_list_knows_at_once_that_another_process_has_made_the_tag_anew(
    runtime: Runtime, time: Time
) -> None:
    await submitted(runtime, "a")
    assert await listed(runtime, "a")
    await forget_tags(runtime)
    async with open_runtime(runtime.settings) as other:
        task_id = await submitted(other, "a")
    assert await listed(runtime, "a") == {task_id}


async def test_the_janitor_waits_for_who_is_linking(runtime: Runtime, time: Time) -> None:
    task_id = await submitted(runtime)
    idle = await submitted(runtime, "a")
    await runtime.change.delete(CALLER, idle)
    time.later = timedelta(days=1)
    async with open_runtime(runtime.settings) as other:
        async with other.database.engine.begin() as connection:
            tag_id = (await find(connection, [("default", "a")]))["default", "a"]
            await link(connection, [(task_id, tag_id)])
            sweep = asyncio.create_task(time.passes(0))
            await asyncio.wait([sweep], timeout=0.3)
            assert not sweep.done()
        await sweep
    assert await listed(runtime, "a") == {task_id}


async def test_submits_and_the_janitor_at_the_same_time(runtime: Runtime, time: Time) -> None:
    """All tags are ripe as soon as they are idle, and a sweep begins after every eight submits."""
    time.later = timedelta(days=1)
    stop, due, numbers = asyncio.Event(), asyncio.Event(), count(1)
    deletes: list[str] = []
    engine = runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: deletes.append(a[2]))

    async def sweep() -> None:
        while not stop.is_set():
            await due.wait()
            due.clear()
            await time.passes(0)

    async def use(worker: int) -> None:
        for n in range(25):
            names = [f"t{worker % 3}", f"t{n % 4}"]
            task_id = await submitted(runtime, *names)
            if next(numbers) % 8 == 0:
                due.set()
            assert set((await runtime.read.get(CALLER, task_id)).tags) == set(names)
            await runtime.change.update(CALLER, task_id, retagged("x"))
            assert (await runtime.read.get(CALLER, task_id)).tags == ("x",)
            await runtime.change.delete(CALLER, task_id)

    async with open_runtime(runtime.settings) as other:
        sweeps = [asyncio.create_task(sweep()), asyncio.create_task(Time(other).passes(1_440))]
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(8):
                    group.create_task(use(number))
        finally:
            stop.set()
            due.set()
            await asyncio.gather(*sweeps)
    assert sum(said.startswith("DELETE FROM tags") for said in deletes) > 5
