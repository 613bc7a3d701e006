"""The names that are in use, as one process knows them."""

import asyncio
from collections.abc import AsyncIterator, Collection

import pytest

from taskq_server.core.database import Connection, Database
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import QuotaExceeded
from taskq_server.services import quotas
from taskq_server.services.quotas import Quota, of_tags
from tests.support.callers import CALLER


class Names:
    """What is stored, and how often anybody looks."""

    def __init__(self, database: Database, *names: str) -> None:
        self.names = set(names)
        self.looks = 0
        self.now = 100.0
        self.slow = ""
        self.looking = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.quota = Quota(
            *("tags", 4, database, self.find, self.count),
            monotonic=lambda: self.now,
        )

    async def find(self, _: Connection, __: str, names: Collection[str]) -> set[str]:
        self.looks += 1
        found = self.names & set(names)
        await self._take_time("find")
        return found

    async def count(
        self, _: Connection, __: str, names: Collection[str], enough: int, most: int
    ) -> int:
        found = min(most, len(self.names - set(names)))
        await self._take_time("count")
        return found

    async def _take_time(self, at: str) -> None:
        if at == self.slow:
            self.looking.set()
            await self.may_answer.wait()

    async def store(self, *names: str, fail: bool = False, caller: Caller = CALLER) -> None:
        async with self.quota.admit(caller, of_tags(names)):
            if fail:
                raise ConnectionError
            self.names |= set(names)


@pytest.fixture
async def names(database: Database) -> AsyncIterator[Names]:
    made = Names(database, "a", "b")
    yield made
    made.may_answer.set()
    await made.quota.close()


async def test_names_are_known_for_a_minute_after_they_were_used(names: Names) -> None:
    for _ in range(5):
        await names.store("a", "b")
    assert names.looks == 1
    names.now += 59
    await names.store("b")
    names.now += 59
    await names.store("b")
    await names.store()
    assert names.looks == 1
    await names.store("a")
    assert names.looks == 2


async def test_a_name_that_was_not_stored_frees_its_place(names: Names) -> None:
    names.names.add("c")
    with pytest.raises(ConnectionError):
        await names.store("d", fail=True)
    await names.store("e")
    for more in (["d"], ["a", "f"]):
        with pytest.raises(QuotaExceeded) as refused:
            await names.store(*more)
        assert [error.pointer for error in refused.value.errors] == [f"/tags/{len(more) - 1}"]
    names.names -= {"b"}
    await names.store("f")


@pytest.mark.parametrize("slow", ["find", "count"])
@pytest.mark.parametrize("wanted", ["d", "de"])
async def test_what_is_stored_while_somebody_looks_is_counted_once(
    names: Names, slow: str, wanted: str
) -> None:
    async with names.quota.admit(CALLER, {"c": "/queue"}):
        names.slow = slow
        late = asyncio.create_task(names.store(*wanted))
        async with asyncio.timeout(60):
            await names.looking.wait()
        names.names.add("c")
    names.may_answer.set()
    await asyncio.wait([late])
    assert names.names == {"a", "b", "c"} | ({"d"} if wanted == "d" else set())
    assert (late.exception() is None) == (wanted == "d")


async def test_nobody_is_admitted_of_a_list_that_is_refused(names: Names) -> None:
    with pytest.raises(QuotaExceeded):
        await names.store("c", "d", "e")
    await names.store("c", "d")


async def test_who_gives_up_frees_its_places(names: Names) -> None:
    names.slow = "find"
    given_up = asyncio.create_task(names.store("c", "d"))
    async with asyncio.timeout(60):
        await names.looking.wait()
    given_up.cancel()
    await asyncio.wait([given_up])
    names.may_answer.set()
    await names.store("e", "f")


async def test_what_is_known_in_one_namespace_is_looked_up_in_another(names: Names) -> None:
    theirs = Caller("theirs")
    for _ in range(2):
        await names.store("a", "b")
        await names.store("b", caller=theirs)
    assert names.looks == 2
    await names.store("a", caller=theirs)
    assert names.looks == 3


async def test_two_namespaces_store_new_names_at_the_same_moment(names: Names) -> None:
    """Each has two places left, and what the other one is storing takes none of them."""
    theirs = Caller("theirs")
    async with (
        names.quota.admit(CALLER, of_tags(["c", "d"])),
        names.quota.admit(theirs, of_tags(["e", "f"])),
    ):
        for caller in (CALLER, theirs):
            with pytest.raises(QuotaExceeded):
                await names.store("g", caller=caller)


async def test_names_of_many_namespaces_do_not_pile_up(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "_MOST_KNOWN", 10)
    async with names.quota.admit(CALLER, of_tags(["c", "d"])):
        for n in range(100):
            await names.store("a", caller=Caller(f"n{n}"))
        assert names.quota._size <= 13
        assert len(names.quota._of) <= 13
        with pytest.raises(QuotaExceeded):
            await names.store("e")  # what is being stored counts all the time
