"""Places for tasks that wait, as one process counts them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event

from taskq_server.core.database import Database
from taskq_server.domain.errors import QuotaExceeded
from taskq_server.services.waiting_quota import WaitingQuota
from tests.support.callers import CALLER
from tests.unit.server.factories import make_task, store


class Places:
    """A quota, and how often it looks at the ledger."""

    def __init__(self, database: Database, most: int) -> None:
        self.now = 100.0
        self.looks = 0
        self.looking = asyncio.Event()
        self.database = database
        self.quota = WaitingQuota(most, database, lambda: self.now)
        event.listen(database.engine.sync_engine, "begin", self._look)

    def _look(self, _: object) -> None:
        self.looks += 1
        self.looking.set()

    async def store(self, *, fail: bool = False, tasks: int = 1) -> int:
        """Take places, and store tasks unless the store fails; return the looks before it."""
        async with self.quota.places(CALLER, tasks, None):
            looks = self.looks
            if fail:
                raise ConnectionError
            await store(self.database, *(make_task() for _ in range(tasks)))
            self.looks -= 1
        return looks


@pytest.fixture
async def few(database: Database) -> AsyncIterator[Places]:
    made = Places(database, 3)
    yield made
    await made.quota.close()


@pytest.fixture
async def many(database: Database) -> AsyncIterator[Places]:
    made = Places(database, 100_000)
    yield made
    await made.quota.close()


async def test_a_store_that_fails_gives_its_places_back(few: Places) -> None:
    for _ in range(5):
        with pytest.raises(ConnectionError):
            await few.store(fail=True, tasks=3)
    await few.store(tasks=3)
    with pytest.raises(QuotaExceeded):
        await few.store()


async def test_places_are_taken_while_a_store_takes_long(few: Places) -> None:
    async with few.quota.places(CALLER, 2, None):
        await few.store()
        with pytest.raises(QuotaExceeded, match="3 do"):
            await few.store()
    await few.store(fail=False)  # the two were never stored, as the next look shows


async def test_a_caller_who_gives_up_takes_no_place(few: Places) -> None:
    for _ in range(5):
        few.looking.clear()
        given_up = [asyncio.create_task(few.store(tasks=3)) for _ in range(3)]
        await asyncio.wait_for(few.looking.wait(), 60)
        for each in given_up:
            each.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
    await few.quota.close()
    assert few.quota._own[CALLER.namespace].storing == 0


async def test_others_are_seen_within_a_second(many: Places) -> None:
    await many.store()
    assert many.looks == 1
    await store(many.database, *(make_task() for _ in range(50)))
    looks = many.looks
    await many.store()
    assert many.looks == looks, "from memory"
    assert many.quota._count(CALLER.namespace) == 2
    many.now += 0.6
    assert await many.store() == looks, "nobody waits for the next look"
    await many.quota.close()
    assert many.looks == looks + 1
    assert many.quota._count(CALLER.namespace) >= 53


async def test_near_the_limit_each_moment_has_its_own_look(database: Database) -> None:
    places = Places(database, 1_010)
    for _ in range(10):
        await places.store()
    looks = places.looks
    await places.store()
    assert places.looks == looks + 1


async def test_those_who_come_at_once_share_a_look(few: Places) -> None:
    answers = await asyncio.gather(*(few.store() for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(each, QuotaExceeded) for each in answers) == 27
    assert few.looks <= 2


async def test_without_a_limit_nobody_looks(database: Database) -> None:
    quota = WaitingQuota(None, database)
    assert not quota.is_limited
    async with quota.places(CALLER, 1_000_000, None):
        pass
    assert quota._own == {}
