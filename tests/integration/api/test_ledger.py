"""The ledger of tasks is as exact as a COUNT, whatever happens, on both databases."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from sqlalchemy import Connection, event, func, select

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.core.database import Violation
from taskq_server.crud.tables import task_counts
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.stats import QueueStats, Stats
from taskq_server.services.submit import IdempotencyKey, Submitted, SubmittedBatch
from tests.integration.api.mixture import Mixture, counted, new, told
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER
from tests.support.mariadb import MariaDBServer

NEEDED = {
    *("submit", "replay", "batch", "replay of a batch", "claim of queued", "claim of retrying"),
    *("succeed", "fail", "fail for good", "release", "rescue to queued"),
    *("cancel of queued", "cancel of retrying", "cancel of running"),
    *("retry of failed", "retry of cancelled", "delete of queued", "prune"),
}


async def rows_of_ledger(runtime: Runtime) -> int:
    statement = select(func.count()).select_from(task_counts)
    return (await runtime.database.read(lambda c: c.execute(statement))).scalar_one()


def total(counts: Stats | QueueStats) -> int:
    return counts.tasks.total()


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens_the_numbers_are_those_of_the_tasks(
    runtime: Runtime, worker: ScriptedWorker, seed: int
) -> None:
    mixture = Mixture(runtime, worker, seed)
    for number in itertools.count():
        await mixture.step()
        if number % 45 == 0:
            await asyncio.gather(mixture.maintenance.compact(), mixture.maintenance.compact())
        if number % 9 == 0:
            assert told(await runtime.stats.read(CALLER)) == await counted(runtime), mixture.done
        if number > 400 and mixture.done.keys() >= NEEDED:
            break
    stats = await runtime.stats.read(CALLER)
    assert told(stats) == await counted(runtime)
    assert total(stats) == sum(total(queue) for queue in stats.queues)
    assert await rows_of_ledger(runtime) < 100


@pytest.fixture
async def pair(mariadb_url: str, redis_url: str) -> AsyncIterator[list[Runtime]]:
    """Two processes of taskq, as far as the database can tell."""
    settings = Settings(database_url=mariadb_url, redis_url=redis_url, auth="off")
    async with open_runtime(settings) as one, open_runtime(settings) as other:
        await migrations.upgrade(one.database)
        yield [one, other]


async def live(runtime: Runtime, worker: ScriptedWorker, first: int) -> None:
    """Submit some tasks and end them, one way or another, as others do."""
    for number in range(first, 800 + first, 20):
        key = IdempotencyKey.of(f"key {number // 2}", {}) if number % 3 else None
        done = await runtime.submit.one(CALLER, new(f"q{number // 2 % 3}"), key=key)
        if not done.replayed:
            task = await worker.claim(str(done.details.task.id))
            ends = worker.release, worker.fail, partial(worker.succeed, result=1)
            await ends[number % 3](task)


async def test_many_at_once_are_counted_exactly_while_janitors_compact(pair: list[Runtime]) -> None:
    errors: list[BaseException] = []
    for runtime in pair:
        engine = runtime.database.engine.sync_engine
        event.listen(engine, "handle_error", lambda e: errors.append(e.sqlalchemy_exception))
    workers = [ScriptedWorker(runtime) for runtime in pair]
    await workers[0].publish()
    all_maintenance = [Mixture(runtime, workers[0], 0).maintenance for runtime in pair]
    seen, all_done = [0], asyncio.Event()

    async def compact() -> None:
        while not all_done.is_set():
            await asyncio.gather(*(each.compact() for each in all_maintenance))
            seen.append(total(await pair[0].stats.read(CALLER)))

    async with asyncio.TaskGroup() as group:
        group.create_task(compact())
        async with asyncio.TaskGroup() as lives:
            for first in range(20):
                lives.create_task(live(pair[first % 2], workers[first % 2], first))
        all_done.set()
    assert len(seen) > 10
    assert seen == sorted(seen), "a task that is there was not counted"
    # Keys that are taken, but not even a deadlock that was tried again.
    assert [error for error in errors if not isinstance(error, Violation)] == []
    for runtime in pair:
        assert told(await runtime.stats.read(CALLER)) == await counted(runtime)


async def test_what_was_committed_although_the_answer_was_lost_is_counted_once(
    pair: list[Runtime], mariadb_server: MariaDBServer
) -> None:
    runtime = pair[0]
    await ScriptedWorker(runtime).publish()
    await runtime.catalog.require(CALLER, "taskq.echo")
    lost: list[int] = []

    def lose_the_answer(connection: Connection) -> None:
        if len(lost) < len(asked):
            lost.append(connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one())
            connection.exec_driver_sql("COMMIT")
            mariadb_server.sql(f"KILL {lost[-1]}")

    event.listen(runtime.database.engine.sync_engine, "commit", lose_the_answer)
    keys = [IdempotencyKey.of(f"key {number}", {}) for number in range(2)]
    submits: list[Callable[[], Awaitable[Submitted | SubmittedBatch]]] = [
        lambda: runtime.submit.one(CALLER, new()),
        lambda: runtime.submit.one(CALLER, new(), key=keys[0]),
        lambda: runtime.submit.batch(CALLER, [new()] * 3),
        lambda: runtime.submit.batch(CALLER, [new()] * 3, key=keys[1]),
    ]
    asked: list[object] = []
    for submit in submits:
        asked.append(submit)
        assert not (await submit()).replayed
    assert len(set(lost)) == len(submits)
    assert (
        told(await runtime.stats.read(CALLER))
        == await counted(runtime)
        == {"default": {"queued": 8}}
    )
