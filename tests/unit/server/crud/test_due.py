"""Which waiting tasks may run, and which final ones are past retention."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from taskq_server.core.database import Connection, Database
from taskq_server.crud import counts, due, keeps, retention
from taskq_server.crud.oldest import oldest
from taskq_server.crud.retention import Window
from taskq_server.domain.task import FINAL, Due, Priority, Status, Task, score
from tests.unit.server.factories import NOW, make_task, running, seconds, store


async def ask(database: Database, now: datetime = NOW, **options: Any) -> list[Due]:
    defaults = {
        "namespace": "default",
        "queue": "default",
        "handlers": ["taskq.echo"],
        "limit": 100,
    }
    return await database.read(lambda c: due.due(c, now=now, **{**defaults, **options}))


async def ids(database: Database, now: datetime = NOW, **options: Any) -> list[UUID]:
    return [one.task_id for one in await ask(database, now, **options)]


async def test_the_lowest_score_comes_first(database: Database) -> None:
    low = make_task(priority=Priority.LOW)
    urgent = make_task(priority=Priority.URGENT)
    old = make_task(created_at=NOW - seconds(1_000), priority=Priority.LOW)
    await store(database, low, urgent, old)
    assert await ask(database) == [
        Due(task.id, 0, "default", task.queue, score(task.created_at, task.priority))
        for task in (old, urgent, low)
    ]
    assert await ids(database, limit=2) == [old.id, urgent.id]


async def test_only_waiting_tasks_of_the_queue_that_can_be_run_are_due(database: Database) -> None:
    queued = make_task()
    retrying = make_task(Status.RETRYING, attempt=3, run_at=NOW)
    await store(
        database,
        queued,
        retrying,
        running(),
        *(make_task(status) for status in Status if status.final),
        make_task(queue="other"),
        make_task(namespace="other"),
        make_task(handler="not.mine"),
    )
    assert {(one.task_id, one.attempt) for one in await ask(database)} == {
        (queued.id, 0),
        (retrying.id, 3),
    }
    assert len(await ids(database, handlers=["taskq.echo", "not.mine"])) == 3
    assert len(await ids(database, queue="other")) == 1
    assert len(await ids(database, namespace="other")) == 1
    assert await ids(database, handlers=[]) == []


async def test_who_has_no_quarantine_process_is_not_told_of_what_needs_one(
    database: Database,
) -> None:
    tasks = [make_task(lost_count=lost) for lost in range(3)]
    await store(database, *tasks)
    assert len(await ids(database)) == 3
    assert set(await ids(database, last_chance=False)) == {task.id for task in tasks[:2]}


async def test_a_task_is_due_from_its_run_at_on(database: Database) -> None:
    task = make_task(run_at=NOW + seconds(5), priority=Priority.URGENT)
    await store(database, task)
    assert await ids(database, NOW + seconds(4.999999)) == []
    assert await ids(database, NOW + seconds(5)) == [task.id]


async def test_each_priority_is_due_at_its_time_and_goes_by_its_score(database: Database) -> None:
    def at(due: float, priority: Priority) -> Task:
        handler = "taskq.echo" if priority % 2 else "taskq.sleep"
        return make_task(run_at=NOW + seconds(due), priority=priority, handler=handler)

    due_now = [at(-5, Priority.URGENT), at(0, Priority.HIGH), at(-31, Priority.LOW)]
    await store(database, *due_now[::-1], *(at(0.1, priority) for priority in Priority))
    handlers = ["taskq.echo", "taskq.sleep"]
    assert await ids(database, handlers=handlers) == [task.id for task in due_now]


async def test_a_worker_may_have_any_number_of_handlers(database: Database) -> None:
    names = [f"handler.{n:03}" for n in range(150)]
    old_first = [
        make_task(handler=name, created_at=NOW - seconds(n)) for n, name in enumerate(names)
    ][::-1]
    await store(database, *old_first)
    assert await ids(database, handlers=names, limit=1_000) == [task.id for task in old_first]
    assert await ids(database, handlers=names, limit=3) == [task.id for task in old_first[:3]]


FULL = """
WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < {rows})
INSERT INTO tasks (id, namespace, handler, score, priority, run_at, status, finished_at, queue,
  title, payload, timeout_seconds, max_retries, current_retry_count, attempt, lost_count, version,
  created_at, updated_at)
SELECT printf('%032x', n), {values}, 'default',
  'full', '{{}}', 1, 3, 0, 0, 0, 1,
  '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000'
FROM seq
"""
SCORE = score(NOW, Priority.URGENT)
FULL_OF = {
    "rows with a bell": f"'default', 'taskq.echo', {SCORE} + n, 1, NULL, 'queued', NULL",
    "rows without one": "'default', 'taskq.echo', n, n % 4, NULL, 'queued', NULL",
    "rows of others": "'default', 'not.mine', n, 1, NULL, 'queued', NULL",
    "rows of another namespace": "'other', 'taskq.echo', n, n % 4, NULL, 'queued', NULL",
    "rows due soon": f"'default', 'taskq.echo', {SCORE + 1} + n % 9, 3, "
    "'2026-10-05 12:00:01', 'queued', NULL",
    "final rows": "'default', 'taskq.echo', NULL, 1, NULL, 'failed', '2026-10-05 12:00:00.000000'",
}


async def steps(database: Database, rows: int, values: str) -> int:
    """How much SQLite does for the janitor when the table has so many rows of a kind."""
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1

    async def work(connection: Connection) -> None:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.set_progress_handler(count, 100)
        given: dict[str, Any] = {
            "namespace": "default",
            "queue": "default",
            "handlers": ["taskq.echo"],
            "now": NOW,
        }
        await due.due(connection, **given, below=SCORE, limit=50, untouched_since=NOW)
        await due.due(connection, **given, limit=50)
        windows = {status: Window(NOW - seconds(1)) for status in FINAL}
        await retention.expired(connection, windows, limit=50)
        await retention.oldest(connection, windows)
        await keeps.due(connection, now=NOW, limit=50)
        await oldest(
            connection, namespace="default", queues=["default"], handlers=["taskq.echo"], now=NOW
        )
        await counts.everywhere(connection)
        await raw.set_progress_handler(None, 100)

    await database.write(lambda c: c.execute(text("DELETE FROM tasks")))
    await database.write(lambda c: c.execute(text(FULL.format(rows=rows, values=values))))
    await database.read(work)
    return counted


@pytest.mark.parametrize("kind", FULL_OF)
async def test_sqlite_works_no_more_when_more_is_queued(database: Database, kind: str) -> None:
    few = await steps(database, 1_000, FULL_OF[kind])
    assert await steps(database, 20_000, FULL_OF[kind]) <= few + 5


async def test_below_is_exclusive(database: Database) -> None:
    task = make_task()
    await store(database, task)
    place = score(NOW, Priority.NORMAL)
    assert await ids(database, below=place) == []
    assert await ids(database, below=place + 1) == [task.id]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RETRYING])
async def test_untouched_since_leaves_fresh_rows_alone(database: Database, status: Status) -> None:
    task = make_task(status, updated_at=NOW - seconds(2))
    await store(database, task)
    assert await ids(database, untouched_since=NOW - seconds(2)) == []
    assert await ids(database, untouched_since=NOW - seconds(1.9)) == [task.id]


async def test_final_tasks_expire_by_when_they_ended(database: Database) -> None:
    long_ago = NOW - seconds(1_000)
    final = sorted((status for status in Status if status.final), reverse=True)
    old = [make_task(one, finished_at=long_ago + seconds(n)) for n, one in enumerate(final)]
    await store(
        database,
        *old,
        make_task(Status.SUCCEEDED, created_at=long_ago, finished_at=NOW),
        make_task(Status.FAILED, finished_at=NOW - seconds(500)),
        make_task(created_at=long_ago),
        running(created_at=long_ago),
        make_task(Status.RETRYING, created_at=long_ago),
    )

    async def expired(before: datetime, limit: int = 100) -> list[UUID]:
        windows = {status: Window(before) for status in FINAL}
        found = await database.read(lambda c: retention.expired(c, windows, limit=limit))
        return [one.id for one in found]

    assert await expired(NOW - seconds(500)) == [task.id for task in old]
    assert await expired(NOW - seconds(500), limit=2) == [task.id for task in old][:2]
    assert await expired(long_ago) == []
