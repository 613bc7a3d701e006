"""Which waiting tasks may run, and which final ones are past retention."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from taskq_server.core.database import Database
from taskq_server.crud import due
from taskq_server.crud.due import Due
from taskq_server.domain.task import Priority, Status, score
from tests.unit.server.factories import NOW, make_task, running, seconds, store


async def ask(database: Database, now: datetime = NOW, **options: Any) -> list[Due]:
    defaults = {"queue": "default", "handlers": ["taskq.echo"], "limit": 100}
    return await database.read(lambda c: due.due(c, now=now, **{**defaults, **options}))


async def ids(database: Database, now: datetime = NOW, **options: Any) -> list[UUID]:
    return [one.task_id for one in await ask(database, now, **options)]


async def test_the_lowest_score_comes_first(database: Database) -> None:
    low = make_task(priority=Priority.LOW)
    urgent = make_task(priority=Priority.URGENT)
    old = make_task(created_at=NOW - seconds(1_000), priority=Priority.LOW)
    await store(database, low, urgent, old)
    assert await ask(database) == [
        Due(task.id, 0, score(task.created_at, task.priority)) for task in (old, urgent, low)
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
        make_task(handler="not.mine"),
    )
    assert {(one.task_id, one.attempt) for one in await ask(database)} == {
        (queued.id, 0),
        (retrying.id, 3),
    }
    assert len(await ids(database, handlers=["taskq.echo", "not.mine"])) == 3
    assert len(await ids(database, queue="other")) == 1
    assert await ids(database, handlers=[]) == []


async def test_a_task_is_due_from_its_run_at_on(database: Database) -> None:
    task = make_task(run_at=NOW + seconds(5), priority=Priority.URGENT)
    await store(database, task)
    assert await ids(database, NOW + seconds(4.999999)) == []
    assert await ids(database, NOW + seconds(5)) == [task.id]


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
    old = [make_task(status, finished_at=long_ago) for status in Status if status.final]
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
        return await database.read(lambda c: due.expired(c, before=before, limit=limit))

    assert await expired(NOW - seconds(500)) == sorted(task.id for task in old)
    assert await expired(NOW - seconds(500), limit=2) == sorted(task.id for task in old)[:2]
    assert await expired(long_ago) == []
