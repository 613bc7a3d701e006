"""Schedules whose workers are killed, whose Redis forgets, and whose database is away."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import func, select

from taskq_server.core.database import Connection, Database
from taskq_server.crud import schedules
from taskq_server.crud.tables import schedule_fires, tasks
from taskq_server.crud.tables import schedules as table
from taskq_server.domain.schedule import CatchUp, Schedule
from taskq_server.domain.task import Status
from tests.support.calls import repeats
from tests.support.faketime import skewed
from tests.support.mariadb import MariaDBServer
from tests.support.schedules import make_schedule
from tests.support.stack import Kind, NewStack
from tests.support.waiting import wait_until

T = TypeVar("T")

MANY = 200
EVERY = 5.0
ROUNDS = repeats(3, 20)
SETTINGS = {"TASKQ_LEASE_SECONDS": "2"}
BEFORE = 25.0
SPRING = datetime.fromisoformat("2027-03-28T01:00:00+00:00")
AUTUMN = datetime.fromisoformat("2026-10-25T01:00:00+00:00")


def through(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run a transaction on a database of its own."""

    async def run() -> T:
        database = Database(url)
        try:
            return await database.write(work)
        finally:
            await database.close()

    return asyncio.run(run())


def put(url: str, made: Sequence[Schedule]) -> None:
    async def work(connection: Connection) -> None:
        for each in made:
            await schedules.put(connection, each)

    through(url, work)


def now_of(url: str) -> datetime:
    async def run() -> datetime:
        database = Database(url)
        try:
            return await database.now()
        finally:
            await database.close()

    return asyncio.run(run())


def delete_all(url: str) -> dict[str, Schedule]:
    """Delete all schedules, as nobody fires them, and return them by name."""

    async def work(connection: Connection) -> dict[str, Schedule]:
        await connection.execute(select(table.c.id).order_by(table.c.id).with_for_update())
        found = await schedules.page(connection, "default", limit=1_000)
        for each in found:
            await schedules.delete(connection, each.id)
        return {each.name: each for each in found}

    return through(url, work)


def fires(url: str) -> dict[str, list[datetime]]:
    """Return the times of each schedule that have a task."""

    async def work(connection: Connection) -> dict[str, list[datetime]]:
        of = schedule_fires.c
        found: dict[str, list[datetime]] = {}
        for name, fire_at in await connection.execute(
            select(of.name, of.fire_at).order_by(of.name, of.fire_at)
        ):
            found.setdefault(name, []).append(fire_at)
        return found

    return through(url, work)


def counted(url: str) -> Counter[Status]:
    async def work(connection: Connection) -> Counter[Status]:
        rows = select(tasks.c.status, func.count()).group_by(tasks.c.status)
        return Counter({status: number for status, number in await connection.execute(rows)})

    return through(url, work)


def until_all_have_run(url: str, number: int) -> None:
    """Wait for the ends of all tasks: one that has lost three workers in a row has failed."""

    def have_run() -> bool:
        found = counted(url)
        return found.total() == number and all(one.final for one in found)

    wait_until(have_run, 180, f"{number} tasks have run", 0.5, lambda: str(counted(url)))


@pytest.mark.timeout(repeats(400, 900))
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_workers_are_killed_while_200_schedules_fire(kind: Kind, new_stack: NewStack) -> None:
    stack = new_stack(kind, settings=SETTINGS, workers=2)
    url = stack.database_url
    began = now_of(url)
    given = {"every_seconds": EVERY, "catch_up": CatchUp.ALL, "made_at": began}
    put(url, [make_schedule(f"s{number:03}", **given) for number in range(MANY)])
    for number in range(1, ROUNDS + 1):
        fire_at = began + timedelta(seconds=number * EVERY)
        # The worst moment: some have fired, and others have not.
        wait_until(lambda at=fire_at: now_of(url) >= at, 180, "it is time", 0.1)
        wait_until(lambda at=fire_at: any_fired(url, at), 180, "some have fired", 0.05)
        stack.kill_worker()
        stack.start_worker()
    last = began + timedelta(seconds=ROUNDS * EVERY)
    wait_until(lambda: all_fired(url, last), 180, "all have fired", 0.2)
    ended = delete_all(url)
    found = fires(url)
    assert len(found) == len(ended) == MANY
    for name, moments in found.items():
        expected = [began + timedelta(seconds=n * EVERY) for n in range(1, len(moments) + 1)]
        assert moments == expected, name
        assert (ended[name].fired, ended[name].missed) == (len(moments), 0), name
    number = sum(map(len, found.values()))
    until_all_have_run(url, number)
    print(f"{kind}: {number} tasks of {MANY} schedules beside {ROUNDS} SIGKILL, each time once")


def any_fired(url: str, fire_at: datetime) -> bool:
    async def work(connection: Connection) -> bool:
        one = select(schedule_fires.c.task_id).where(schedule_fires.c.fire_at == fire_at).limit(1)
        return (await connection.execute(one)).first() is not None

    return through(url, work)


def all_fired(url: str, fire_at: datetime) -> bool:
    async def work(connection: Connection) -> bool:
        late = select(table.c.id).where(table.c.next_fire_at <= fire_at).limit(1)
        return (await connection.execute(late)).first() is None

    return through(url, work)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("change", "fire", "never"),
    [
        (SPRING, {"gap": "30 2 * * *", "three": "0 3 * * *"}, {"two": "0 2 * * 1"}),
        (AUTUMN, {"hour": "0 * * * *"}, {"twice": "0 2 * * *", "three": "0 3 * * *"}),
    ],
    ids=["spring", "autumn"],
)
def test_redis_forgets_and_the_database_is_away_while_clocks_are_moved(
    new_stack: NewStack,
    server: MariaDBServer,
    change: datetime,
    fire: dict[str, str],
    never: dict[str, str],
) -> None:
    """The clock is that of the database; what is due at the change fires when it is back."""
    try:
        _restart(server, change - timedelta(minutes=10))
        stack = new_stack("mariadb", settings=SETTINGS, workers=2, mariadb=server)
        _restart(server, change - timedelta(seconds=BEFORE))
        url = stack.database_url
        began = now_of(url)
        put(url, _schedules(began, {**fire, **never, "minute": "* * * * *"}))
        wait_until(lambda: now_of(url) > change - timedelta(seconds=5), 60, "soon", 0.1)
        server.kill()
        assert stack.redis is not None
        stack.redis.flush()
        time.sleep(10)
        server.start()
        stack.redis.flush()
        wait_until(lambda: all_fired(url, change), 120, "what was due has fired", 0.2)
        back = now_of(url)
        ended = delete_all(url)
        found = fires(url)
        until_all_have_run(url, sum(map(len, found.values())))
    finally:
        server.variables = {}
        server.kill()
        server.start()
    every = found.pop("every")
    assert every == [began + timedelta(seconds=2.0 * n) for n in range(1, len(every) + 1)]
    minutes = found.pop("minute")
    assert minutes == [change + timedelta(minutes=n) for n in range(len(minutes))]
    assert found == {name: [change] for name in fire}
    assert {each.missed for each in ended.values()} == {0}
    print(f"\nclocks moved at {change:%H:%M}: {len(every)} times, the last at {back:%H:%M:%S}")


def _schedules(began: datetime, crons: dict[str, str]) -> list[Schedule]:
    made = [
        make_schedule(name, cron=cron, timezone="Europe/Berlin", made_at=began)
        for name, cron in crons.items()
    ]
    every = make_schedule("every", every_seconds=2.0, catch_up=CatchUp.ALL, made_at=began)
    return [*made, every]


def _restart(server: MariaDBServer, now: datetime) -> None:
    server.kill()
    server.variables = skewed(now.timestamp() - time.time())
    server.start()
