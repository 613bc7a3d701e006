"""The history of minutes is that of the attempts, whatever happens, on both databases."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.crud.tables import attempts, task_counts, tasks
from taskq_server.domain.task import ERRORS, Outcome
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.history import History, HistoryService
from tests.integration.api.mixture import Mixture, new
from tests.integration.api.moved_clock import moved
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

MINUTES = 240
NEEDED = {
    *("succeed", "fail", "fail for good", "release", "rescue to queued", "cancel of running"),
    *("retry of failed", "delete of failed", "delete of succeeded", "prune"),
}
Numbers = dict[tuple[str, str], tuple[int, int, float | None]]
"""By queue and minute: attempts that succeeded and failed, and the mean of their run times."""


class Witness:
    """Remembers each attempt that it has seen, even if its task is deleted later."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seen: dict[tuple[Any, ...], Any] = {}

    async def look(self) -> None:
        statement = select(tasks.c.queue, *attempts.c).join(tasks, tasks.c.id == attempts.c.task_id)
        for row in await self._runtime.database.read(lambda c: c.execute(statement)):
            self._seen[row.task_id, row.attempt] = row

    def numbers(self) -> Numbers:
        groups: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in self._seen.values():
            if row.outcome is Outcome.SUCCEEDED or row.outcome in ERRORS:
                minute = row.finished_at.replace(second=0, microsecond=0).isoformat()
                groups[row.queue, minute].append(row)
        return {key: self._of(rows) for key, rows in groups.items()}

    def _of(self, rows: list[Any]) -> tuple[int, int, float | None]:
        succeeded = sum(row.outcome is Outcome.SUCCEEDED for row in rows)
        run = sum((row.finished_at - row.started_at).total_seconds() for row in rows)
        return succeeded, len(rows) - succeeded, pytest.approx(run / len(rows), abs=0.001)


def told(history: History) -> Numbers:
    """What the service says, without minutes in which nothing ended."""
    assert len(history.minutes) == MINUTES
    assert history.exact
    found: Numbers = {}
    for name, queue in history.queues.items():
        rows = zip(queue.succeeded, queue.failed, queue.run_seconds_mean, strict=True)
        for minute, row in zip(history.minutes, rows, strict=True):
            if any(row[:2]):
                found[name, minute.isoformat()] = row
    return found


@pytest.mark.parametrize("seed", range(2))
async def test_hours_are_those_of_the_attempts_whatever_happens_to_their_tasks(
    runtime: Runtime, worker: ScriptedWorker, seed: int
) -> None:
    runtime, clock = moved(runtime)
    mixture, other = (Mixture(runtime, ScriptedWorker(runtime), seed) for _ in range(2))
    history, dice = HistoryService(runtime.database, clock), random.Random(seed)
    witness, start = Witness(runtime), clock()
    while not mixture.done.keys() >= NEEDED or clock() - start < timedelta(hours=2):
        await mixture.step()
        await witness.look()
        clock.move(dice.uniform(0, 20))
        if dice.random() < 0.1:
            await asyncio.gather(mixture.maintenance.compact(), other.maintenance.compact())
        if dice.random() < 0.05:
            assert told(await history.read(CALLER, MINUTES)) == witness.numbers()
    found = witness.numbers()
    assert told(await history.read(CALLER, MINUTES)) == found
    assert len(found) > 60
    clock.move(60)
    while await mixture.maintenance.compact():
        pass
    assert told(await history.read(CALLER, MINUTES)) == found
    still = select(func.count()).select_from(task_counts).where(task_counts.c.minute.is_not(None))
    assert (await runtime.database.read(lambda c: c.execute(still))).scalar_one() == 0


@pytest.fixture
async def pair(mariadb_url: str, redis_url: str) -> AsyncIterator[list[Runtime]]:
    """Two processes of taskq, as far as the database can tell."""
    settings = Settings(database_url=mariadb_url, redis_url=redis_url, auth="off")
    async with open_runtime(settings) as one, open_runtime(settings) as other:
        await migrations.upgrade(one.database)
        yield [one, other]


async def test_no_end_is_missed_or_told_twice_while_two_janitors_compact(
    pair: list[Runtime],
) -> None:
    """Time flies, so that all that is compacted is over at once."""
    clocks = [moved(runtime) for runtime in pair]
    janitors = [Mixture(each, ScriptedWorker(each), 0).maintenance for each, _ in clocks]
    reader = moved(pair[0])[1]
    reader.move(5)  # ahead of both
    history = HistoryService(pair[0].database, reader)
    workers = [ScriptedWorker(runtime) for runtime, _ in clocks]
    await workers[0].publish()
    looks, all_done, ended = 0, asyncio.Event(), Counter[str]()

    async def live(number: int) -> None:
        worker, which = workers[number % 2], clocks[number % 2][0]
        while looks < 100:
            done = await which.submit.one(CALLER, new(f"q{ended.total() % 3}"))
            task = await worker.claim(str(done.details.task.id))
            fails = ended.total() % 3 == 0
            await (worker.fail(task) if fails else worker.succeed(task, 1))
            ended["failed" if fails else "succeeded"] += 1

    async def compact() -> None:
        while not all_done.is_set():
            for clock in (reader, *(clock for _, clock in clocks)):
                clock.move(60)
            await asyncio.gather(*(each.compact() for each in janitors))

    async def told() -> Counter[str]:
        queues = (await history.read(CALLER, 6_000)).queues.values()
        return Counter(
            succeeded=sum(sum(one.succeeded) for one in queues),
            failed=sum(sum(one.failed) for one in queues),
        )

    async def look() -> None:
        nonlocal looks
        while not all_done.is_set():
            before = ended.copy()
            assert await told() >= before, "what had ended is missing"
            looks += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(compact())
        group.create_task(look())
        async with asyncio.TaskGroup() as lives:
            for number in range(12):
                lives.create_task(live(number))
        all_done.set()
    assert await told() == ended
    assert min(ended["succeeded"], ended["failed"]) > 10
