"""Versions of a handler on a real database: payloads that are put off, and what is published."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from taskq_server.crud import claims, handlers, workers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.task import Outcome, Status, Task
from taskq_server.domain.worker import WorkerRow
from taskq_server.runtime import Runtime
from taskq_server.services.publishing import Publishing
from taskq_server.services.reports import Completion, Decision
from tests.support.callers import CALLER
from tests.unit.server.factories import (
    NOW,
    WORKER,
    publish,
    running,
    seconds,
    store,
    stored,
)

UNFIT = Failure(outcome=Outcome.FAILED, type="InvalidPayload", message="no", fatal=True)
OLD, NEW = '{"title": "old"}', '{"title": "new"}'


def put_off(task: Task, now: datetime) -> AttemptEnded:
    return lifecycle.put_off(task, UNFIT, pause=5, now=now)


def released(task: Task, now: datetime) -> AttemptEnded:
    return lifecycle.release(task, now=now)


def failed(task: Task, now: datetime) -> AttemptEnded:
    broken = Failure(outcome=Outcome.FAILED, type="E", message="m")
    return lifecycle.fail(task, broken, backoff=Backoff(), random=lambda: 0.5, now=now)


def test_what_is_put_off_is_due_later_and_not_charged() -> None:
    task = running(lost_count=1)
    ended = put_off(task, NOW)
    assert (ended.task.status, ended.task.current_retry_count) == (Status.QUEUED, 0)
    assert (ended.task.run_at, ended.task.lost_count) == (NOW + seconds(5), 1)
    assert ended.task.score is not None
    assert (ended.attempt.outcome, ended.attempt.error_type) == ("released", "InvalidPayload")
    assert not ended.is_failure
    asked = put_off(task._replace(cancel_requested_at=NOW), NOW)
    assert asked.task.status is Status.CANCELLED


async def end(runtime: Runtime, task: Task, *decisions: Decision) -> Task:
    """End attempts of a task one after the other; it runs again after each, due or not."""
    service = runtime.attempts(has_failure_hooks=False)
    for decide in decisions:
        ending = Completion(task_id=task.id, attempt=task.attempt, worker_id=WORKER, decide=decide)
        await service.end(ending)
        again = [await stored(runtime.database, task.id)]
        await runtime.database.write(
            partial(claims.mark_claimed, waiting=again, worker_id=WORKER, now=NOW)
        )
        task = await stored(runtime.database, task.id)
    return task


async def test_it_is_put_off_ten_times_in_a_row(runtime: Runtime) -> None:
    await publish(runtime.database, "taskq.echo", schema=NEW)
    service = runtime.attempts(has_failure_hooks=False)
    task = running()
    await store(runtime.database, task)
    assert await service.pause_of_unfit(task, NEW) is None
    task = await end(runtime, task, put_off, released, put_off)
    assert await service.pause_of_unfit(task, OLD) == 3, "a release of another kind counts nothing"
    assert task.run_at is not None
    assert task.run_at > NOW
    task = await end(runtime, task, failed)
    assert await service.pause_of_unfit(task, OLD) == 1, "it did fit"
    task = await end(runtime, task, *[put_off] * 10)
    assert await service.pause_of_unfit(task, OLD) is None


async def test_without_a_published_schema_it_fails_at_once(runtime: Runtime) -> None:
    assert await runtime.attempts(has_failure_hooks=False).pause_of_unfit(running(), OLD) is None


async def register(
    runtime: Runtime, number: int, row: str = '["a"]', namespaces: Sequence[str] = ("default",)
) -> UUID:
    """A live worker, whose row says this about its handlers."""
    now = runtime.clock()
    live = WorkerRow(
        id=UUID(int=number),
        name="host:1",
        queues="[]",
        handlers=row,
        namespaces=json.dumps(namespaces),
        concurrency=1,
        started_at=now,
        heartbeat_at=now,
        lease_until=now + seconds(60),
    )
    await runtime.database.write(lambda c: workers.register(c, live))
    return live.id


async def worker(
    runtime: Runtime, number: int, schema: str, *namespaces: str
) -> tuple[Publishing, UUID]:
    """A live worker that has published."""
    served = namespaces or ("default",)
    worker_id = await register(runtime, number, namespaces=served)
    own = PublishedHandler(
        name="a", description="", payload_schema=schema, max_retries=1, timeout_seconds=1
    )
    publishing = Publishing(runtime.database, runtime.clock, served, [own])
    await publishing.start(worker_id)
    return publishing, worker_id


async def leave(runtime: Runtime, worker_id: UUID) -> None:
    over = runtime.clock() - seconds(1)
    await runtime.database.write(lambda c: workers.unregister(c, worker_id, lease_until=over))


async def published(runtime: Runtime, namespace: str = "default") -> str | None:
    return await runtime.database.read(lambda c: handlers.schema_of(c, namespace, "a"))


async def test_the_newer_schema_stays_while_one_worker_has_it(runtime: Runtime) -> None:
    old, old_id = await worker(runtime, 1, OLD)
    assert await published(runtime) == OLD
    _, new_id = await worker(runtime, 2, NEW)
    await old.keep(old_id)
    assert await published(runtime) == NEW
    await leave(runtime, old_id)
    old, old_id = await worker(runtime, 3, OLD)
    assert await published(runtime) == NEW
    _, other_id = await worker(runtime, 4, NEW)
    await leave(runtime, new_id)
    await old.keep(old_id)
    await worker(runtime, 5, OLD)
    assert await published(runtime) == NEW
    await leave(runtime, other_id)
    await old.keep(old_id)
    assert await published(runtime) == OLD
    assert [(one.name, one.workers) for one in await runtime.catalog.handlers(CALLER)] == [("a", 2)]


async def test_three_versions_are_in_order(runtime: Runtime) -> None:
    latest = '{"title": "latest"}'
    for number, schema in enumerate([OLD, NEW, latest, NEW, OLD], 1):
        await worker(runtime, number, schema)
    assert await published(runtime) == latest


async def test_a_lost_lease_loses_no_knowledge(runtime: Runtime) -> None:
    await worker(runtime, 1, OLD)
    new, new_id = await worker(runtime, 2, NEW)
    await leave(runtime, new_id)
    _, again = await worker(runtime, 3, NEW)
    await new.keep(again)
    await worker(runtime, 4, OLD)
    assert await published(runtime) == NEW


async def test_after_an_outage_the_others_get_time_to_come_back(runtime: Runtime) -> None:
    old, old_id = await worker(runtime, 1, OLD)
    new, new_id = await worker(runtime, 2, NEW)
    leases = [old_id]

    async def lose_all_and_come_back_first() -> None:
        await leave(runtime, old_id)
        await leave(runtime, new_id)
        leases.append(await register(runtime, 3, old.row))

    async def let_the_other_come_back() -> None:
        await register(runtime, 4, new.row)

    async def lose_the_other() -> None:
        await leave(runtime, UUID(int=4))

    for pause, schema in (
        (lose_all_and_come_back_first, NEW),
        (let_the_other_come_back, NEW),
        (lose_the_other, OLD),
    ):
        await old.look_again(lambda: leases[-1], pause)
        assert await published(runtime) == schema, pause.__name__


async def test_without_a_lease_nothing_is_published(runtime: Runtime) -> None:
    old, old_id = await worker(runtime, 1, OLD)
    _, new_id = await worker(runtime, 2, NEW)
    leases: list[UUID | None] = [old_id]

    async def lose_all() -> None:
        await leave(runtime, new_id)
        leases.append(None)

    for _ in range(2):
        await old.look_again(lambda: leases[-1], lose_all)
        assert await published(runtime) == NEW


async def test_rows_of_older_workers_are_names_only(runtime: Runtime) -> None:
    await publish(runtime.database, "a", schema=OLD)
    await worker(runtime, 1, NEW)
    await runtime.database.write(lambda c: workers.set_handlers(c, UUID(int=1), '["a", "b"]'))
    await worker(runtime, 2, OLD)
    assert await published(runtime) == OLD


async def test_each_namespace_has_the_newest_schema_of_its_own_workers(runtime: Runtime) -> None:
    old, old_id = await worker(runtime, 1, OLD, "one", "two")
    assert [await published(runtime, name) for name in ("one", "two", "three")] == [OLD, OLD, None]
    _, new_id = await worker(runtime, 2, NEW, "two", "three")
    await old.keep(old_id)
    assert [await published(runtime, name) for name in ("one", "two", "three")] == [OLD, NEW, NEW]
    await worker(runtime, 3, OLD, "two")
    assert await published(runtime, "two") == NEW, "a live worker of it has the newer one"
    await leave(runtime, new_id)
    await old.keep(old_id)
    assert [await published(runtime, name) for name in ("one", "two", "three")] == [OLD, OLD, NEW]
