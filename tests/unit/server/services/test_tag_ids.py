"""The ids of tags, as one process remembers them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import pytest
from sqlalchemy import event

from taskq_server.core.database import Database
from taskq_server.crud import tags
from taskq_server.services.tags import TagIds
from tests.support.callers import CALLER
from tests.unit.server.factories import NOW


class Names:
    """Tags of a process whose clock the test moves, and how often it asks."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 100.0
        self.asked: list[object] = []
        self.ids = TagIds(database, lambda: NOW, lambda: self.now)
        event.listen(database.engine.sync_engine, "begin", self.asked.append)

    async def resolve(self, *names: str) -> Mapping[str, int]:
        async def link(ids: Mapping[str, int]) -> Mapping[str, int]:
            return ids

        return await self.ids.use(CALLER, names, link)

    async def forget_all(self) -> None:
        later = NOW + timedelta(days=1)
        ids = await self.database.read(lambda c: tags.idle(c, before=later, limit=9))
        await self.database.write(lambda c: tags.forget(c, ids, before=later, now=later))


@pytest.fixture
async def names(database: Database) -> AsyncIterator[Names]:
    made = Names(database)
    yield made
    await made.ids.close()


async def test_ids_are_remembered_for_a_minute(names: Names) -> None:
    first = await names.resolve("a", "b")
    names.now += 59
    assert await names.resolve("b") == {"b": first["b"]}
    assert len(names.asked) == 1
    names.now += 2
    assert await names.resolve("a") == {"a": first["a"]}
    assert len(names.asked) == 2


async def test_those_who_ask_at_once_share_a_transaction_and_get_their_own(names: Names) -> None:
    await names.resolve("x")
    wanted = [("a",), ("b", "x"), (), ("c", "a"), ("x",)]
    found = await asyncio.gather(*(names.resolve(*some) for some in wanted))
    assert [set(ids) for ids in found] == [set(some) for some in wanted]
    assert found[0]["a"] == found[3]["a"]
    assert len(names.asked) <= 3


async def test_the_id_of_a_deleted_tag_is_never_used_again(names: Names) -> None:
    old = await names.resolve("a", "b")
    await names.forget_all()
    names.now += 61
    new = await names.resolve("c", "b")
    assert not set(old.values()) & set(new.values())
