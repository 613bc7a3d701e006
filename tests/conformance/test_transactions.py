"""Transactions: rollback, contention, links, upserts and times."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database, ping
from taskq_server.crud.tables import handlers, tags, task_tags, tasks
from taskq_server.crud.tags import TagGone, link
from taskq_server.domain.errors import DatabaseUnavailable
from tests.conformance.conftest import PATIENCE
from tests.conformance.statements import a_tag, names
from tests.unit.server.factories import NOW, make_task, rows_of, store, stored


async def test_write_commits_and_returns_the_answer(database: Database) -> None:
    async def work(connection: AsyncConnection) -> str:
        await connection.execute(insert(tags).values(a_tag("kept")))
        return "answer"

    assert await database.write(work) == "answer"
    assert await names(database) == ["kept"]


async def test_an_error_rolls_everything_back_and_comes_out(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(tags).values(a_tag("lost")))
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await database.write(work)
    assert await names(database) == []


async def test_a_broken_rule_is_no_missing_database(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(tags).values(a_tag("one")))
        await connection.execute(insert(tags).values(a_tag("two")))

    with pytest.raises(IntegrityError):
        await database.write(work)
    assert await names(database) == []


async def test_a_caller_that_is_cancelled_leaves_nothing_and_no_lock(database: Database) -> None:
    inside = asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(tags).values(a_tag("half")))
        inside.set()
        await asyncio.Event().wait()

    caller = asyncio.create_task(database.write(work))
    await inside.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    async with asyncio.timeout(60):
        await database.write(lambda c: c.execute(insert(tags).values(a_tag("after"))))
    assert await names(database) == ["after"]


async def test_a_transaction_that_takes_too_long_is_given_up(database: Database, url: str) -> None:
    hasty = Database(url, timeout_seconds=0.05)

    async def hang(connection: AsyncConnection) -> None:
        await connection.execute(insert(tags).values(a_tag("half")))
        await asyncio.Event().wait()

    async with asyncio.timeout(60):
        with pytest.raises(DatabaseUnavailable):
            await hasty.write(hang)
        assert await names(database) == []
    await hasty.close()


async def test_racing_writers_lose_nothing_and_repeat_nothing(database: Database, url: str) -> None:
    """Read, then write, from two engines as two processes do: each sees what came before it."""
    runs = 0

    async def add_one(connection: AsyncConnection) -> None:
        nonlocal runs
        runs += 1
        value = (await connection.execute(select(tasks.c.version).with_for_update())).scalar_one()
        await asyncio.sleep(0)
        await connection.execute(update(tasks).values(version=value + 1))

    task = make_task(version=0)
    await store(database, task)
    other = Database(url, connect_seconds=PATIENCE)
    try:
        await asyncio.gather(*(each.write(add_one) for each in (database, other) * 20))
    finally:
        await other.close()
    assert (await stored(database, task.id)).version == 40
    assert runs == 40, "each waited for its turn before it read"


async def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: AsyncConnection) -> None:
        await connection.execute(insert(tags).values(a_tag("new")))
        inside.set()
        await go_on.wait()

    writer = asyncio.create_task(database.write(slow))
    await inside.wait()
    async with asyncio.timeout(3):
        assert await names(database) == []
    go_on.set()
    await writer
    assert await names(database) == ["new"]


async def test_ping_is_quiet_when_the_database_answers(database: Database) -> None:
    await ping(database)


async def test_now_is_aware_utc(database: Database) -> None:
    now = await database.now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


async def test_a_link_to_no_tag_is_refused(database: Database) -> None:
    await database.write(lambda c: c.execute(insert(tags).values(a_tag("there", 1))))
    await database.write(lambda c: link(c, [(UUID(int=1), 1)]))
    with pytest.raises(TagGone):
        await database.write(lambda c: link(c, [(UUID(int=2), 1), (UUID(int=2), 2)]))
    assert [row["task_id"] for row in await rows_of(database, task_tags)] == [UUID(int=1)]


async def test_insert_once_leaves_a_row_alone_that_is_there(database: Database) -> None:
    rows = [a_tag("one", 1), a_tag("two", 2)]
    await database.write(lambda c: c.execute(database.dialect.insert_once(tags), rows))
    again = [a_tag("one", 7), a_tag("three", 3)]
    await database.write(lambda c: c.execute(database.dialect.insert_once(tags), again))
    found = {row["name"]: row["id"] for row in await rows_of(database, tags)}
    assert found == {"one": 1, "two": 2, "three": 3}


async def test_upsert_changes_the_named_columns_only(database: Database) -> None:
    row = {
        "namespace": "default",
        "name": "a",
        "description": "old",
        "payload_schema": "{}",
        "max_retries": 1,
        "timeout_seconds": 1.0,
        "updated_at": NOW,
    }
    statement = database.dialect.upsert(handlers, update=["description"])
    await database.write(lambda c: c.execute(statement, [row]))
    changed = row | {"description": "new", "max_retries": 9}
    await database.write(lambda c: c.execute(statement, [changed, row | {"name": "b"}]))
    found = {row["name"]: row for row in await rows_of(database, handlers)}
    assert (found["a"]["description"], found["a"]["max_retries"]) == ("new", 1)
    assert found["b"]["description"] == "old"


async def test_a_naive_time_is_not_stored(database: Database) -> None:
    task = make_task(run_at=datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None), score=0)
    with pytest.raises(ValueError, match="naive"):
        await store(database, task)
    assert await rows_of(database, tasks) == []


async def test_times_come_back_as_the_same_moment_in_utc(database: Database) -> None:
    elsewhere = datetime.fromisoformat("2026-10-05T14:00:00.123456+05:30")
    task = make_task(run_at=elsewhere)
    await store(database, task)
    found = (await stored(database, task.id)).run_at
    assert found == elsewhere
    assert found is not None
    assert found.tzinfo is UTC
    assert found.microsecond == 123456
