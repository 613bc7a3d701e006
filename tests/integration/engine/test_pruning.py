"""What is past retention goes, by ranges where it can, and nothing else does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, insert, select, update

from taskq_server import migrations
from taskq_server.core.database import Connection, Database
from taskq_server.crud import counts, pruning, tasks
from taskq_server.crud.pruning import RangeChanged, Some
from taskq_server.crud.tables import attempts, task_keeps, task_tags
from taskq_server.crud.tables import tasks as tasks_table
from taskq_server.crud.tasks import NewRow
from taskq_server.domain.ids import IdSource
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import FINAL, Outcome, Status, Task
from taskq_server.services.frontier import Frontier, behind
from taskq_server.services.pruning import Pruning
from tests.unit.server.factories import NOW, make_tags, make_task, rows_of, seconds

DAY = timedelta(days=1)
MONTH = Retention.of_all(30 * DAY)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, connect_seconds=20.0)
    await migrations.upgrade(database)
    yield database
    await database.close()


class World:
    """Tasks that ended some days before `NOW`, each with an attempt and a tag."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.pruning = Pruning(database, lambda: self.now)
        self.ids = IdSource()

    def task(self, days: float, status: Status = Status.SUCCEEDED, **more: Any) -> Task:
        ended = NOW - days * DAY
        made = more.pop("created_at", ended)
        return make_task(status, id=self.ids(made), created_at=made, **more)

    async def store(self, these: Iterable[Task], keep: timedelta | None = None) -> list[UUID]:
        stored = list(these)
        tag_id = (await make_tags(self.database, "t"))["t"]
        seconds_kept = None if keep is None else keep.total_seconds()
        rows = [NewRow(one, (tag_id,), keep_seconds=seconds_kept) for one in stored]
        ended = [
            {
                "task_id": one.id,
                "attempt": 1,
                "handler": one.handler,
                "outcome": Outcome.SUCCEEDED,
                "started_at": one.created_at,
                "finished_at": one.created_at,
            }
            for one in stored
        ]
        for start in range(0, len(rows), 500):
            some = slice(start, start + 500)

            async def work(connection: Connection, some: slice = some) -> None:
                await tasks.insert_new(connection, rows[some])
                await connection.execute(insert(attempts), ended[some])

            await self.database.write(work)
        return [one.id for one in stored]

    async def prune(self, kept: Retention = MONTH) -> int:
        """Prune until nothing is left to be pruned; whatever is left is whole."""
        removed = 0
        while some := await self.pruning.batch(kept):
            removed += some
        await self.check()
        return removed

    async def left(self) -> set[UUID]:
        return await self.column(tasks_table.c.id)

    async def column(self, column: Any) -> set[UUID]:
        found = await self.database.read(lambda c: c.execute(select(column).distinct()))
        return set(found.scalars())

    async def check(self) -> None:
        """Nothing belongs to a task that is gone, nothing of others is gone, the ledger agrees."""
        left = await self.left()
        assert await self.column(attempts.c.task_id) == left
        assert await self.column(task_tags.c.task_id) == left
        assert await self.column(task_keeps.c.task_id) <= left
        rows = await self.database.read(
            lambda c: c.execute(
                select(tasks_table.c.status, func.count()).group_by(tasks_table.c.status)
            )
        )
        ledger: Counter[Status] = Counter()
        for places in (await self.database.read(counts.everywhere)).values():
            for (_, status), amount in places.items():
                ledger[status] += 0 if status is Status.RUNNING else amount
        stored: Counter[Status] = Counter()
        for status, amount in rows:  # the ledger counts what runs as queued
            stored[Status.QUEUED if status is Status.RUNNING else status] += amount
        assert +ledger == stored

    async def behind(self, kept: Retention, frontier: Frontier | None = None) -> timedelta:
        known = frontier or Frontier()
        return await self.database.read(lambda c: behind(c, known, kept, self.now))


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_failed_tasks_may_be_kept_for_longer_or_shorter(world: World) -> None:
    old = {status: world.task(40, status) for status in sorted(FINAL)}
    new = {status: world.task(20, status) for status in sorted(FINAL)}
    await world.store([*old.values(), *new.values()])
    assert await world.prune(Retention(30 * DAY, failed=90 * DAY)) == 2
    assert old[Status.FAILED].id in await world.left()
    assert await world.prune(Retention(30 * DAY, failed=10 * DAY)) == 2
    assert await world.left() == {new[Status.SUCCEEDED].id, new[Status.CANCELLED].id}


async def test_a_range_spares_what_lies_in_it(world: World) -> None:
    others = [
        (Status.QUEUED, None), (Status.RETRYING, None), (Status.RUNNING, None),
        (Status.SUCCEEDED, NOW - DAY), (Status.FAILED, NOW - 30 * DAY),
    ]  # fmt: skip
    old, other = [], []
    for n in range(900):  # ids are made in the order of time
        made = NOW - 40 * DAY + seconds(n)
        old.append(world.task(40, created_at=made))
        if n % 20 == 0:
            status, finished = others[n // 20 % len(others)]
            other.append(world.task(40, status, created_at=made, finished_at=finished))
    await world.store([*old, *other])
    deletes: list[str] = []

    def hear(*said: Any) -> None:
        deletes.extend([said[2]] if said[2].startswith("DELETE") else [])

    event.listen(world.database.engine.sync_engine, "before_cursor_execute", hear)
    assert await world.prune() == 900
    assert deletes
    assert all("BETWEEN" in one for one in deletes)
    assert await world.left() == {one.id for one in other}


async def test_lone_tasks_and_crowded_ranges_go_as_well(world: World) -> None:
    """Of the first 600 tasks each twelfth may go, of 600 others all, of 30 later ones one each."""
    crowd = [world.task(60, created_at=NOW - 60 * DAY + seconds(n)) for n in range(600)]
    crowd = [one if n % 12 == 0 else one._replace(finished_at=NOW) for n, one in enumerate(crowd)]
    block = [world.task(50, created_at=NOW - 50 * DAY + seconds(n)) for n in range(600)]
    lone = [world.task(40 - n / 10) for n in range(30)]
    await world.store([*crowd, *block, *lone])
    assert await world.prune() == 50 + 600 + 30
    assert await world.left() == {one.id for n, one in enumerate(crowd) if n % 12}


async def test_a_task_is_kept_for_as_long_as_it_says(world: World) -> None:
    longer = await world.store([world.task(40), world.task(40, Status.FAILED)], 45 * DAY)
    short = await world.store([world.task(2), world.task(2, Status.CANCELLED)], seconds(60))
    plain = await world.store([world.task(2)])
    assert await world.prune() == len(short)
    assert await world.left() == {*longer, *plain}
    world.now = NOW + 5 * DAY
    assert await world.prune() == 0  # not past it, but at it
    world.now += seconds(61)  # a look that found nothing is not repeated at once
    assert await world.prune() == len(longer)
    assert await world.left() == set(plain)


async def test_what_waits_is_looked_at_rarely_and_goes_when_it_has_ended(world: World) -> None:
    waiting = await world.store([world.task(0, Status.QUEUED) for _ in range(3)], seconds(60))
    looked = 0

    def hear(*said: Any) -> None:
        nonlocal looked
        looked += said[2].startswith("UPDATE task_keeps")

    event.listen(world.database.engine.sync_engine, "before_cursor_execute", hear)
    for _ in range(7 * 24):
        world.now += timedelta(hours=1)
        assert await world.pruning.batch(MONTH) == 0
    assert looked <= 7 * 24
    due = (await rows_of(world.database, task_keeps))[0]["look_at"]
    assert due - world.now == timedelta(hours=1)
    ended = {"status": Status.SUCCEEDED, "score": None, "finished_at": world.now}
    change = update(tasks_table).where(tasks_table.c.id == waiting[0]).values(ended)
    await world.database.write(lambda c: c.execute(change))
    world.now += timedelta(hours=1, minutes=2)
    assert await world.pruning.batch(MONTH) == 1
    assert await world.left() == set(waiting[1:])


async def test_a_task_of_next_year_that_is_cancelled_goes_soon(world: World) -> None:
    far = world.task(0, Status.QUEUED, run_at=NOW + 365 * DAY)
    ids = await world.store([far], seconds(60))
    ended = {"status": Status.CANCELLED, "score": None, "finished_at": NOW + seconds(5)}
    change = update(tasks_table).where(tasks_table.c.id == ids[0]).values(ended)
    await world.database.write(lambda c: c.execute(change))
    world.now += timedelta(hours=1, minutes=2)
    assert await world.pruning.batch(MONTH) == 1


async def test_many_that_are_kept_for_longer_hide_nothing_and_are_passed_once(
    world: World,
) -> None:
    ended = NOW - 50 * DAY
    kept = [world.task(50, created_at=ended + seconds(n // 2)) for n in range(3_000)]
    kept += [world.task(49) for _ in range(1_200)]  # of one moment
    await world.store(kept, 365 * DAY)
    behind_them = await world.store([world.task(40, status) for status in sorted(FINAL)])
    ticks = count(0.0, 2.0)  # each look takes long, so looks are short
    world.pruning = Pruning(world.database, lambda: world.now, lambda: next(ticks))
    assert sum([await world.pruning.batch(MONTH) for _ in range(4)]) == len(behind_them)
    await world.check()
    examined: list[str] = []

    def hear(*said: Any) -> None:
        examined.append(said[2])

    event.listen(world.database.engine.sync_engine, "before_cursor_execute", hear)
    assert await world.pruning.batch(MONTH) == 0
    looks = [one for one in examined if "FROM tasks" in one]
    assert len(looks) <= 1  # none of those that are kept is read again
    assert len(await world.left()) == len(kept)
    later = await world.store([world.task(31)])
    assert await world.prune() == len(later)


async def test_it_is_known_how_far_pruning_is_behind(world: World) -> None:
    kept = Retention(30 * DAY, failed=60 * DAY)
    assert await world.behind(kept) == timedelta(0)
    await world.store([world.task(50 + n / 1_000) for n in range(2_500)], 365 * DAY)
    await world.store([world.task(61, Status.FAILED)])
    frontier = Frontier()
    assert await world.behind(kept, frontier) == DAY
    await world.store([world.task(33)])
    assert await world.behind(kept, frontier) == 3 * DAY
    await world.store([world.task(9)], 2 * DAY)
    assert abs(await world.behind(kept, frontier) - 7 * DAY) < seconds(90)
    await world.prune(kept)
    assert await world.behind(kept, frontier) == timedelta(0)


async def test_a_task_that_comes_into_a_range_meanwhile_is_not_touched(world: World) -> None:
    """It cannot come between two statements of SQLite, which writes one after the other."""
    old = [world.task(40, created_at=NOW - 40 * DAY + seconds(n)) for n in range(60)]
    late = old.pop(30)
    ids = await world.store(old)

    async def remove(connection: Any) -> None:
        some = Some(ids, is_range=True)
        gone = await pruning.lock(connection, some)
        if connection.dialect.name == "sqlite":
            await connection.execute(insert(tasks_table).values(late._asdict()))
        else:
            await world.store([late])
        await pruning.remove(connection, some, gone, NOW, any_keep=False)

    with pytest.raises(RangeChanged):
        await world.database.write(remove)
    assert set(ids) <= await world.left()
    await world.check()


async def test_two_at_once_do_no_harm(world: World) -> None:
    ids = await world.store(world.task(40 - n / 10_000) for n in range(3_000))
    other = Pruning(world.database, lambda: NOW)
    removed = await asyncio.gather(*(one.batch(MONTH) for one in (world.pruning, other)))
    assert 0 < sum(removed) <= len(ids)
    assert sum(removed) + await world.prune() == len(ids)
    assert await world.left() == set()


async def test_it_keeps_pace_with_what_is_submitted_and_ends_beside_it(world: World) -> None:
    """200 tasks a second come of age beside a backlog of 2,000."""
    await world.store(world.task(40 - n / 10_000) for n in range(2_000))
    stored = removed = most_left = 0

    async def submit() -> None:
        nonlocal stored
        for tick in range(40):
            some = [world.task(31, created_at=NOW - 31 * DAY + seconds(tick)) for _ in range(10)]
            stored += len(await world.store(some))
            await asyncio.sleep(0.05)

    submits = asyncio.create_task(submit())
    while not submits.done():
        removed += await world.pruning.batch(MONTH)
        if removed >= 2_000:
            most_left = max(most_left, 2_000 + stored - removed)
    await submits
    assert most_left <= 200
    assert removed + await world.prune() == 2_000 + stored == 2_400
    assert await world.left() == set()


async def test_retention_of_no_time_takes_no_task_that_runs(world: World) -> None:
    await world.store([world.task(0, Status.RUNNING), world.task(0, Status.QUEUED)])
    assert await world.prune(Retention.of_all(timedelta(0))) == 0


def test_what_is_kept_for_the_longest_time_can_be_said() -> None:
    far = Retention.of_all(timedelta(days=36_500)).before(NOW)
    assert all(at.year > 1_900 for at in far.values())
