"""The janitor's work, and the worker's lease."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from taskq_server.core.clock import Clock
from taskq_server.core.database import Database
from taskq_server.crud.tables import workers as workers_table
from taskq_server.domain.admission import ClaimRequest
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import Queue, Status
from taskq_server.domain.worker import HeldAttempt, WorkerRow
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import AttemptService
from taskq_server.services.leases import Leases
from taskq_server.services.maintenance import Maintenance
from tests.unit.server.factories import (
    OTHER_WORKER,
    WORKER,
    make_task,
    rows_of,
    running,
    seconds,
    store,
    stored,
)

LEASE = seconds(10)
QUEUE = Queue("default", "default")


@pytest.fixture
def maintenance(runtime: Runtime) -> Maintenance:
    attempts = runtime.attempts(has_failure_hooks=False)
    return Maintenance(runtime.database, runtime.clock, attempts, runtime.dispatcher)


def row(runtime: Runtime, worker_id: Any = WORKER, age: float = 0) -> WorkerRow:
    at = runtime.clock() - seconds(age)
    return WorkerRow(
        id=worker_id,
        name="n",
        queues="[]",
        handlers="[]",
        namespaces='["default"]',
        concurrency=1,
        started_at=at,
        heartbeat_at=at,
        lease_until=at + LEASE,
    )


async def test_tasks_of_a_worker_that_is_gone_are_rescued(
    runtime: Runtime, maintenance: Maintenance
) -> None:
    leases = Leases(runtime.database)
    await leases.register(row(runtime, WORKER))
    await leases.register(row(runtime, OTHER_WORKER, age=60))
    lost, safe = running(), running(worker_id=OTHER_WORKER)
    await store(runtime.database, lost, safe)
    assert await maintenance.rescue(await maintenance.beats(), ["default"]) == []
    await maintenance.mark_lost({WORKER: 0, OTHER_WORKER: 1})
    ends = await maintenance.rescue(await maintenance.beats(), ["default"])
    assert [(one.task.id, one.task.status) for one in ends] == [(lost.id, Status.QUEUED)]
    assert (await stored(runtime.database, lost.id)).lost_count == 1
    assert await stored(runtime.database, safe.id) == safe
    assert await maintenance.rescue(await maintenance.beats(), ["default"]) == []


async def test_what_a_worker_runs_that_came_meanwhile_is_not_taken_away(
    runtime: Runtime, maintenance: Maintenance
) -> None:
    task = running()
    await store(runtime.database, task)
    before = await maintenance.beats()
    await Leases(runtime.database).register(row(runtime))
    assert await maintenance.rescue(before, ["default"]) == []
    assert await stored(runtime.database, task.id) == task


async def test_before_the_database_has_told_its_time_nothing_is_touched(runtime: Runtime) -> None:
    silent = Clock()
    attempts = AttemptService(
        runtime.database,
        silent,
        runtime.dispatcher,
        runtime.after_commit,
        runtime.tracing,
        has_failure_hooks=True,
    )
    maintenance = Maintenance(runtime.database, silent.earliest, attempts, runtime.dispatcher)
    past = runtime.clock() - timedelta(days=31)
    tasks = [make_task(status, created_at=past) for status in Status]
    await store(runtime.database, *tasks)
    claim = ClaimRequest(
        task_id=tasks[0].id,
        attempt=1,
        worker_id=WORKER,
        namespaces=frozenset({"default"}),
        handlers=frozenset({"taskq.echo"}),
        quarantine_room=lambda: 0,
    )
    for touch in (
        maintenance.rescue([], ["default"]),
        maintenance.mark_lost({WORKER: 0}),
        maintenance.stage(QUEUE, ["taskq.echo"], head=None, settled=seconds(2)),
        maintenance.due(QUEUE, ["taskq.echo"], 10),
        maintenance.prune(Retention.of_all(timedelta(days=30))),
        maintenance.forget_workers(seconds(100)),
        attempts.claim(claim),
    ):
        with pytest.raises(DatabaseUnavailable):
            await touch
    for task in tasks:
        assert await stored(runtime.database, task.id) == task


async def test_a_beat_renews_the_lease_and_tells_what_is_held(runtime: Runtime) -> None:
    leases = Leases(runtime.database)
    mine = row(runtime, age=5)
    await leases.register(mine)
    task = running(cancel_requested_at=runtime.clock())
    await store(runtime.database, task)
    beat = await leases.beat(mine, LEASE)
    assert beat is not None
    assert beat.seen.held == [HeldAttempt(task.id, 1, True)]
    assert beat.asked <= beat.answered
    (found,) = await rows_of(runtime.database, workers_table)
    assert found["lease_until"] - found["heartbeat_at"] >= 2 * LEASE - seconds(0.1)
    assert found["beats"] == 1
    await leases.unregister(mine)
    assert await leases.beat(mine, LEASE) is None


async def test_a_late_beat_renews_what_nobody_has_seen_run_out(
    runtime: Runtime, maintenance: Maintenance
) -> None:
    leases = Leases(runtime.database)
    mine = row(runtime, age=99)
    await leases.register(mine)
    assert await leases.beat(mine, LEASE) is not None
    await maintenance.mark_lost({mine.id: 1})
    for _ in range(2):
        assert await leases.beat(mine, LEASE) is None


async def test_stage_rings_for_what_lost_its_doorbell(
    runtime: Runtime, maintenance: Maintenance
) -> None:
    old = make_task(created_at=runtime.clock() - seconds(60))
    fresh = make_task(created_at=runtime.clock())
    await store(runtime.database, old, fresh)
    assert old.score is not None

    async def staged(head: int | None, *handlers: str) -> list[UUID]:
        lost = await maintenance.stage(
            QUEUE, handlers or ["taskq.echo"], head=head, settled=seconds(2)
        )
        return [one.task_id for one in lost]

    assert await staged(None) == [old.id], "an empty queue has lost all that is not fresh"
    assert await staged(old.score + 1) == [old.id]
    assert await staged(old.score) == [], "the head of the queue has its doorbell"
    assert await staged(None, "another") == []


async def test_due_is_what_may_be_claimed_now(runtime: Runtime, maintenance: Maintenance) -> None:
    now = make_task(created_at=runtime.clock())
    later = make_task(run_at=runtime.clock() + seconds(60))
    await store(runtime.database, now, later)
    found = await maintenance.due(QUEUE, ["taskq.echo"], 10)
    assert [(one.task_id, one.attempt) for one in found] == [(now.id, 0)]


async def test_prune_deletes_final_tasks_past_retention_only(
    runtime: Runtime, maintenance: Maintenance
) -> None:
    past = runtime.clock() - timedelta(days=31)
    old = [make_task(status, created_at=past) for status in Status]
    new = make_task(Status.SUCCEEDED, created_at=past, finished_at=runtime.clock())
    await store(runtime.database, *old, new)
    assert await maintenance.prune(Retention.of_all(timedelta(days=30))) == 3
    assert await maintenance.prune(Retention.of_all(timedelta(days=30))) == 0
    for task in (new, *(task for task in old if not task.status.final)):
        assert await stored(runtime.database, task.id) == task


@contextmanager
def when_first_read_ends(database: Database, url: str, statement: str) -> Iterator[None]:
    """Let another process change the database right after this one has read."""
    done = False

    def change(_: Any) -> None:
        nonlocal done
        if not done:
            done = True
            with closing(sqlite3.connect(url.partition("///")[2])) as other, other:
                other.execute(statement)

    event.listen(database.engine.sync_engine, "commit", change)
    try:
        yield
    finally:
        event.remove(database.engine.sync_engine, "commit", change)
    assert done


async def test_prune_spares_a_task_that_is_retried_meanwhile(
    runtime: Runtime, maintenance: Maintenance, url: str
) -> None:
    past = runtime.clock() - timedelta(days=31)
    task = make_task(Status.FAILED, created_at=past)
    await store(runtime.database, task)
    retry = "UPDATE tasks SET status = 'queued', score = 1, finished_at = NULL"
    with when_first_read_ends(runtime.database, url, retry):
        await maintenance.prune(Retention.of_all(timedelta(days=30)))
    assert (await stored(runtime.database, task.id)).status is Status.QUEUED
