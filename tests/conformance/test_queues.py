"""Pauses: once one has answered, nothing of its queue starts, whatever claims are under way."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import pytest

from taskq_server.core.config import Settings
from taskq_server.core.database import Connection, Database
from taskq_server.crud import claims, namespaces, queues
from taskq_server.domain.admission import ClaimRequest, Gate, NotNow
from taskq_server.domain.errors import QuotaExceeded
from taskq_server.domain.task import Queue, Status, Task
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.attempts import Claim
from tests.conformance.conftest import PATIENCE, migrate
from tests.support.callers import CALLER
from tests.unit.server.factories import NOW, WORKER, all_stored, make_task, store

MAILS = Queue("default", "mails")
PROCESSES = 3


@pytest.fixture
async def runtimes(database: Database, url: str) -> AsyncIterator[list[Runtime]]:
    """What some processes work with, on one empty database and without Redis."""
    await database.write(lambda c: namespaces.create(database, c, "default", NOW))
    async with opened(url) as some:
        yield some


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[list[Runtime]]:
    settings = Settings(database_url=url, database_connect_seconds=PATIENCE)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_runtime(settings)) for _ in range(PROCESSES)]


def ask(task: Task) -> ClaimRequest:
    return ClaimRequest(
        task_id=task.id,
        attempt=task.attempt + 1,
        worker_id=WORKER,
        namespaces=frozenset({"default"}),
        handlers=frozenset({task.handler}),
        quarantine_room=lambda: 0,
    )


async def started(database: Database, tasks: Collection[Task]) -> set[UUID]:
    rows = await all_stored(database, [task.id for task in tasks])
    return {each for each, row in rows.items() if row.status is Status.RUNNING}


@pytest.mark.parametrize("is_known", [False, True], ids=["a new queue", "a queue with a row"])
@pytest.mark.parametrize("seed", range(4))
async def test_nothing_starts_after_a_pause_has_answered(
    database: Database, runtimes: list[Runtime], seed: int, is_known: bool
) -> None:
    dice = random.Random(seed)
    mails = [make_task(queue="mails") for _ in range(150)]
    others = [make_task(queue="others") for _ in range(50)]
    await store(database, *mails, *others)
    if is_known:
        await database.write(lambda c: queues.lock(c, MAILS))
    services = [each.attempts(has_failure_hooks=False) for each in runtimes]
    asked = dice.sample([*mails, *others], 200)

    async def claim(number: int) -> list[Claim | NotNow | None]:
        answers: list[Claim | NotNow | None] = []
        mine = asked[number::PROCESSES]
        while mine:
            some = [mine.pop() for _ in range(min(len(mine), dice.randint(1, 12)))]
            answers += await asyncio.gather(*(services[number].claim(ask(one)) for one in some))
        return answers

    async def pause() -> set[UUID]:
        for _ in range(dice.randint(0, 30)):
            await asyncio.sleep(0)
        await asyncio.sleep(dice.uniform(0, 0.05))
        await runtimes[0].queues.pause(CALLER, "mails")
        return await started(database, mails)

    before, *found = await asyncio.gather(pause(), *map(claim, range(PROCESSES)))
    assert await started(database, mails) == before
    assert await started(database, others) == {task.id for task in others}, "others go on"
    answers = [one for some in found for one in some]
    refused = [one for one in answers if isinstance(one, NotNow)]
    assert {one.gate for one in refused} <= {Gate.QUEUE}
    assert {one.due.task_id for one in refused} == {task.id for task in mails} - before
    await runtimes[1].queues.resume(CALLER, "mails")
    left = [task for task in mails if task.id not in before]
    again = await asyncio.gather(*(services[2].claim(ask(task)) for task in left))
    assert all(isinstance(one, Claim) for one in again)
    for service in services:
        await service.close()


@pytest.mark.parametrize("is_known", [False, True], ids=["a new queue", "a queue with a row"])
async def test_a_pause_waits_for_the_claims_that_are_under_way(
    database: Database, runtimes: list[Runtime], is_known: bool
) -> None:
    task = make_task(queue="mails")
    await store(database, task)
    if is_known:
        await database.write(lambda c: queues.lock(c, MAILS))
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def claim(connection: Connection) -> None:
        found, paused = await claims.lock(connection, [task.id])
        assert not paused
        locked.set()
        await go_on.wait()
        await claims.mark_claimed(connection, [found[task.id]], worker_id=WORKER, now=NOW)

    claiming = asyncio.create_task(database.write(claim))
    await locked.wait()
    pausing = asyncio.create_task(runtimes[0].queues.pause(CALLER, "mails"))
    done, _ = await asyncio.wait([pausing], timeout=0.5)
    assert not done, "it has answered before the claim was committed"
    go_on.set()
    await pausing
    assert await started(database, [task]) == {task.id}
    await claiming


async def test_claims_of_other_queues_do_not_wait_for_a_pause(mariadb_url: str) -> None:
    """The first pause of a queue, which makes its row, holds up those without a row."""
    await migrate(mariadb_url)
    async with opened(mariadb_url) as runtimes:
        database, service = runtimes[0].database, runtimes[1].attempts(has_failure_hooks=False)
        task = make_task(queue="others")
        await store(database, task)
        await database.write(lambda c: queues.lock(c, MAILS))

        async def pausing(connection: Connection) -> Claim | NotNow | None:
            await queues.lock(connection, MAILS)
            return await service.claim(ask(task))

        assert isinstance(await database.write(pausing), Claim)
        await service.close()


async def test_a_pause_is_idempotent_and_keeps_its_note(runtimes: list[Runtime]) -> None:
    service = runtimes[0].queues
    await service.pause(CALLER, "mails", "the provider is down")
    (first,) = await service.list(CALLER)
    assert first.paused_at is not None
    await service.pause(CALLER, "mails")
    assert await service.list(CALLER) == [first]
    await service.pause(CALLER, "mails", "and it stays down")
    (second,) = await service.list(CALLER)
    assert (second.paused_at, second.note) == (first.paused_at, "and it stays down")
    assert await service.paused(["mails", "others"]) == {MAILS}
    for _ in range(2):
        await service.resume(CALLER, "mails")
    (third,) = await service.list(CALLER)
    assert (third.paused_at, third.note) == (None, None)
    assert await service.paused(["mails"]) == set()


async def test_a_namespace_has_a_bounded_number_of_paused_queues(
    runtimes: list[Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskq_server.domain.limits.PAUSED_QUEUES", 2)
    service = runtimes[0].queues
    for name in ("a", "b", "a"):
        await service.pause(CALLER, name)
    with pytest.raises(QuotaExceeded, match="2 queues are paused"):
        await service.pause(CALLER, "c")
    await service.resume(CALLER, "b")
    await service.pause(CALLER, "c")


async def test_queues_without_tasks_are_forgotten_unless_they_are_paused(
    database: Database, runtimes: list[Runtime]
) -> None:
    task = make_task(queue="used")
    await store(database, task)
    for name in ("paused", "unused", "used"):
        await runtimes[0].queues.pause(CALLER, name)
    for name in ("unused", "used"):
        await runtimes[0].queues.resume(CALLER, name)
    unused = await database.read(lambda c: queues.unused(c, limit=10))
    assert unused == [Queue("default", "unused")]
    await database.write(lambda c: queues.forget(c, [*unused, Queue("default", "paused")]))
    rows = await database.read(lambda c: queues.rows(c, "default"))
    assert [row.name for row in rows] == ["paused", "used"]
