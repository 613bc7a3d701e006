"""Rows of workers: what is kept of those that have ended, and what the live ones run."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from taskq_server.core.database import Database
from taskq_server.crud import live_workers, old_workers, tasks, workers
from taskq_server.crud.tables import workers as workers_table
from taskq_server.domain import lifecycle
from taskq_server.domain.ids import IdSource
from taskq_server.domain.task import Status, Task
from taskq_server.domain.worker import Load, WorkerRow
from tests.unit.server.factories import (
    NOW,
    OTHER_WORKER,
    WORKER,
    make_task,
    rows_of,
    running,
    seconds,
    store,
)
from tests.unit.server.rows import end_all


async def register(
    database: Database, worker_id: UUID, *, lease_until: datetime = NOW, **changes: Any
) -> WorkerRow:
    given: dict[str, Any] = {
        "name": f"host:{worker_id.int}",
        "queues": '["default"]',
        "handlers": '["a"]',
        "namespaces": '["default"]',
        "concurrency": 5,
        "started_at": NOW,
        "heartbeat_at": NOW,
        "version": "1.2.3",
    }
    row = WorkerRow(id=worker_id, lease_until=lease_until, **{**given, **changes})
    await database.write(lambda c: workers.register(c, row))
    return row


async def named_by(database: Database, task: Task) -> list[str | None]:
    found = await database.read(lambda c: tasks.details(c, [(task.namespace, task.id)]))
    return [each.worker_name for each in found[task.namespace, task.id].attempts]


async def end(database: Database, *ended: Task) -> None:
    await end_all(
        database, [lifecycle.succeed(task, result="1", now=task.updated_at) for task in ended]
    )


async def test_attempts_come_with_the_name_of_their_worker(database: Database) -> None:
    await register(database, WORKER)
    known, unknown = running(), running(worker_id=OTHER_WORKER)
    await store(database, known, unknown)
    await end(database, known, unknown)
    assert await named_by(database, known) == [f"host:{WORKER.int}"]
    assert await named_by(database, unknown) == [None]


async def test_a_stopped_worker_keeps_its_name_and_nothing_long(database: Database) -> None:
    row = await register(database, WORKER, lease_until=NOW + seconds(60), handlers='["x"]' * 99)
    task = running()
    await store(database, task)
    await end(database, task)
    await database.write(lambda c: workers.unregister(c, WORKER, lease_until=NOW - seconds(1)))
    (found,) = await rows_of(database, workers_table)
    assert (found["name"], found["handlers"]) == (row.name, "[]")
    assert await database.read(lambda c: workers.live_ids(c, NOW)) == set()
    assert await named_by(database, task) == [row.name]


async def test_lists_of_a_worker_have_any_length(database: Database) -> None:
    """5,000 handlers and 3,000 queues have more than the 65,535 bytes of a TEXT of MySQL."""
    long = {name: f'["{"x" * 200_000}"]' for name in ("queues", "handlers")}
    row = await register(database, WORKER, **long)
    assert await database.read(lambda c: live_workers.by_id(c, [WORKER])) == {WORKER: row}


async def test_idle_are_those_whose_lease_is_over_and_that_hold_nothing(
    database: Database,
) -> None:
    holder, first, second, fresh = (UUID(int=number) for number in range(1, 5))
    for worker_id, age in ((holder, 90), (second, 60), (first, 70), (fresh, 10)):
        await register(database, worker_id, lease_until=NOW - seconds(age))
    await store(database, running(worker_id=holder), make_task(Status.FAILED, worker_id=first))

    async def idle(limit: int) -> list[UUID]:
        before = NOW - seconds(30)
        return await database.read(lambda c: old_workers.idle(c, before=before, limit=limit))

    assert await idle(9) == [first, second]
    assert await idle(1) == [first]


async def test_named_are_the_workers_of_attempts_of_old_tasks(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, past = IdSource(), NOW - seconds(100)
    old = [running(id=made(past), created_at=past) for _ in range(3)]
    new = running(created_at=NOW, worker_id=OTHER_WORKER)
    await store(database, *old, new)
    await end(database, *old, new)

    async def named() -> set[UUID] | None:
        before = NOW - seconds(50)
        return await database.read(lambda c: old_workers.named(c, created_before=before))

    assert await named() == {WORKER}
    monkeypatch.setattr(old_workers, "BUDGET", 3)
    assert await named() is None, "there may be more of them, which were not read"


async def loads(database: Database, ids: Collection[UUID], **given: Any) -> Mapping[UUID, Load]:
    wanted = {"namespace": None, "submitted_by": None, "most": 100, **given}
    return await database.read(lambda c: live_workers.loads(c, ids, **wanted))


async def test_loads_are_what_workers_run_the_longest_first(database: Database) -> None:
    long, short = running(started_at=NOW - seconds(60), lost_count=1), running(started_at=NOW)
    theirs = running(namespace="theirs", started_at=NOW, submitted_by="k")
    await store(
        database,
        short,
        long,
        theirs,
        running(worker_id=OTHER_WORKER),
        make_task(Status.FAILED, worker_id=WORKER),
        make_task(),
    )

    async def of_worker(**given: Any) -> tuple[list[UUID], int, int]:
        load = (await loads(database, [WORKER], **given)).get(WORKER, Load())
        return [each.id for each in load.running], load.amount, load.quarantined

    assert await of_worker() == ([long.id, *sorted([short.id, theirs.id])], 3, 1)
    assert await of_worker(most=1) == ([long.id], 3, 1)
    assert await of_worker(namespace="default") == ([long.id, short.id], 2, 1)
    assert await of_worker(submitted_by="k") == ([theirs.id], 1, 0)
    assert await of_worker(namespace="default", submitted_by="k") == ([], 0, 0)
    both = await loads(database, [OTHER_WORKER, WORKER, UUID(int=9)])
    assert {each: load.amount for each, load in both.items()} == {WORKER: 3, OTHER_WORKER: 1}
    (found,) = (await loads(database, [WORKER], submitted_by="k"))[WORKER].running
    assert (found.namespace, found.handler, found.attempt) == ("theirs", theirs.handler, 1)
    assert (found.started_at, found.quarantined) == (NOW, False)


async def test_places_are_those_of_the_live(database: Database) -> None:
    await register(database, WORKER, lease_until=NOW)
    await register(database, OTHER_WORKER, lease_until=NOW - seconds(1))
    found = await database.read(lambda c: live_workers.places(c, NOW))
    assert found == [(live_workers.Place(NOW, WORKER), '["default"]')]
