"""The statements about schedules, as MySQL 8 would get them, and what they say of rows."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event

from taskq_server.core.database import Database, Violation
from taskq_server.core.database_errors import is_duplicate
from taskq_server.crud import schedules
from taskq_server.crud.schedules import NewFire
from taskq_server.domain.ids import IdSource, Mark
from taskq_server.domain.schedule import Schedule
from tests.support.schedules import NOON, make_schedule
from tests.unit.server.crud.test_statements import mysql_8
from tests.unit.server.recorded import Listener, Recorded

MINUTE = timedelta(minutes=1)
_new_id = IdSource()


async def put(database: Database, *made: Schedule) -> None:
    for each in made:
        await database.write(lambda c, one=each: schedules.put(c, one))  # type: ignore[misc]


def fire(schedule: Schedule, number: int) -> NewFire:
    task_id = _new_id(NOON, Mark.SCHEDULED)
    moment = NOON + number * MINUTE
    return NewFire(schedule.id, moment, task_id, schedule.namespace, schedule.name)


@pytest.fixture
async def said(database: Database) -> list[Recorded]:
    listener = Listener()
    event.listen(database.engine.sync_engine, "before_execute", listener, retval=True)
    a, b = (make_schedule(name, made_at=NOON) for name in "ab")
    await put(database, b, a)
    fires = [fire(each, n) for each in (b, a) for n in (2, 1)]
    ids = [one.task_id for one in fires][::-1]
    await database.write(lambda c: schedules.add_fire(c, *fires))
    assert len(await database.write(lambda c: schedules.take(c, [b, a]))) == 2
    moved = [replace(b, fired=1, last_task_id=ids[0]), replace(a, fired=2)]
    await database.write(lambda c: schedules.move(c, moved))
    await database.read(lambda c: schedules.due(c, now=NOON + MINUTE, limit=5))
    await database.read(lambda c: schedules.statuses(c, ids))
    await database.read(lambda c: schedules.fired(c, [(b.id, NOON), (a.id, NOON)]))
    await database.read(lambda c: schedules.fires_of(c, ids))
    await database.write(lambda c: schedules.forget_fires(c, ids))
    await database.write(lambda c: schedules.get(c, "default", "a", lock=True))
    await database.write(lambda c: schedules.write(c, a))
    await database.write(lambda c: schedules.delete(c, a.id))
    return listener.said


async def test_the_databases_know_the_words(said: list[Recorded]) -> None:
    heard = [one.sql(mysql_8()) for one in said]
    for start in (
        "INSERT INTO schedules",
        "UPDATE schedules SET",
        "DELETE FROM schedules",
        "DELETE FROM schedule_fires",
    ):
        assert any(sql.startswith(start) for sql in heard), start
    for sql in heard:
        assert not re.search(r"\bRETURNING\b|^UPDATE .*\bFROM\b.*\bSET\b|^WITH\b", sql), sql


async def test_what_takes_locks_names_ids_in_order(said: list[Recorded]) -> None:
    skipping = [sql for one in said if "SKIP LOCKED" in (sql := one.sql(mysql_8()))]
    assert len(skipping) == 1
    assert skipping[0].endswith("ORDER BY schedules.id FOR UPDATE SKIP LOCKED")
    lists = [(one, ids) for one in said if one.locks for ids in one.id_lists()]
    assert sum(len(ids) > 1 for _, ids in lists) >= 3
    for one, ids in lists:
        assert ids == sorted(ids), one.sql(mysql_8())


async def test_a_move_writes_each_schedule_its_own(database: Database) -> None:
    made = [make_schedule(f"s{n}") for n in range(3)]
    await put(database, *made)
    moved = [
        replace(each, fired=n, missed=7, last_error="e" if n else None, due_at=NOON + n * MINUTE)
        for n, each in enumerate(made)
    ]
    await database.write(lambda c: schedules.move(c, moved[::-1]))
    assert await database.read(lambda c: schedules.page(c, "default", limit=9)) == moved


async def test_only_what_is_as_it_was_seen_is_taken(database: Database) -> None:
    made = [make_schedule(f"s{n}") for n in range(4)]
    await put(database, *made)
    changed = replace(made[1], version=2)
    fired = replace(made[2], fired=1)
    await database.write(lambda c: schedules.write(c, changed))
    await database.write(lambda c: schedules.move(c, [fired]))
    await database.write(lambda c: schedules.delete(c, made[3].id))
    assert await database.write(lambda c: schedules.take(c, made)) == [made[0]]


async def test_a_time_has_one_task(database: Database) -> None:
    made = make_schedule()
    first = fire(made, 1)
    await database.write(lambda c: schedules.add_fire(c, first))
    again = first._replace(task_id=_new_id(NOON, Mark.SCHEDULED))
    with pytest.raises(Violation) as refused:
        await database.write(lambda c: schedules.add_fire(c, again))
    assert is_duplicate(refused.value)
    known = [(made.id, first.fire_at), (made.id, NOON), (UUID(int=3), first.fire_at)]
    assert await database.read(lambda c: schedules.fired(c, known)) == {known[0]}


async def test_tasks_whose_ids_are_not_marked_ask_nothing(database: Database) -> None:
    listener = Listener()
    event.listen(database.engine.sync_engine, "before_execute", listener, retval=True)
    ids = [_new_id(NOON), _new_id(NOON, Mark.UNIQUE)]
    assert await database.read(lambda c: schedules.fires_of(c, ids)) == {}
    await database.write(lambda c: schedules.forget_fires(c, ids))
    assert listener.said == []
