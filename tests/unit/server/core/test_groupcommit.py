"""Many callers, one commit, an answer for each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from taskq_server.core.groupcommit import GroupCommit
from taskq_server.domain.errors import DatabaseUnavailable

Answers = Sequence[int | Exception]


class Ledger:
    """Commits by noting the batches; a batch can be held back until `gate` opens."""

    def __init__(self, answer: Callable[[int], int | Exception] = lambda item: item * 10) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.began = asyncio.Event()
        self._answer = answer

    async def __call__(self, items: Sequence[int]) -> Answers:
        self.batches.append(list(items))
        self.began.set()
        await self.gate.wait()
        return [self._answer(item) for item in items]

    @property
    def committed(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


async def held(commit: GroupCommit[int, int], ledger: Ledger) -> "asyncio.Task[int]":
    """Send item 0, and return while its batch is held back."""
    ledger.gate.clear()
    first = asyncio.create_task(commit(0))
    await ledger.began.wait()
    return first


def started(commit: GroupCommit[int, int], *items: int) -> list["asyncio.Task[int]"]:
    return [asyncio.create_task(commit(item)) for item in items]


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_lone_item_is_committed_at_once_and_answered() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger)
    assert await commit(7) == 70
    assert await commit(8) == 80
    assert ledger.batches == [[7], [8]]


async def test_calls_made_together_travel_together() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger)
    assert await asyncio.gather(*map(commit, range(100))) == [n * 10 for n in range(100)]
    assert ledger.batches == [list(range(100))]


async def test_calls_during_a_batch_form_the_next_one_in_order() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger)
    first = await held(commit, ledger)
    later = started(commit, 3, 1, 2)
    await settle()
    assert ledger.batches == [[0]]

    ledger.gate.set()
    assert await asyncio.gather(first, *later) == [0, 30, 10, 20]
    assert ledger.batches == [[0], [3, 1, 2]]


async def test_a_batch_has_at_most_max_items() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger, max_items=3)
    await asyncio.gather(*map(commit, range(8)))
    assert ledger.batches == [[0, 1, 2], [3, 4, 5], [6, 7]]


async def test_a_batch_weighs_at_most_max_weight() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger, max_weight=10, weight=lambda item: item)
    await asyncio.gather(*map(commit, [4, 6, 1, 9, 5]))
    assert ledger.batches == [[4, 6], [1, 9], [5]]


async def test_an_item_that_is_too_heavy_travels_alone() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger, max_weight=10, weight=lambda item: item)
    assert await asyncio.gather(*map(commit, [1, 99, 2])) == [10, 990, 20]
    assert ledger.batches == [[1], [99], [2]]


async def test_an_exception_as_an_answer_is_raised_to_its_caller_alone() -> None:
    ledger = Ledger(lambda item: KeyError(item) if item == 1 else item)
    commit = GroupCommit(ledger)
    answers = await asyncio.gather(*map(commit, range(3)), return_exceptions=True)
    assert answers[0] == 0
    assert isinstance(answers[1], KeyError)
    assert answers[2] == 2
    assert ledger.batches == [[0, 1, 2]]


async def test_one_bad_item_fails_alone() -> None:
    batches: list[list[int]] = []

    async def strict(items: Sequence[int]) -> Answers:
        batches.append(list(items))
        if 2 in items:
            raise ValueError("two")
        return list(items)

    commit = GroupCommit(strict)
    answers = await asyncio.gather(*map(commit, range(4)), return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, ValueError)] == [0, 1, 3]
    assert isinstance(answers[2], ValueError)
    assert batches == [[0, 1, 2, 3], [0], [1], [2], [3]]
    assert await commit(5) == 5, "it goes on"


async def test_a_lone_bad_item_is_not_tried_again() -> None:
    calls = 0

    async def broken(items: Sequence[int]) -> Answers:
        nonlocal calls
        calls += 1
        raise ValueError(items)

    with pytest.raises(ValueError, match=r"\[1\]"):
        await GroupCommit(broken)(1)
    assert calls == 1


async def test_when_the_database_is_away_all_learn_it_and_nothing_is_replayed() -> None:
    calls = 0

    async def away(items: Sequence[int]) -> Answers:
        nonlocal calls
        calls += 1
        raise DatabaseUnavailable("away")

    commit = GroupCommit(away)
    answers = await asyncio.gather(*map(commit, range(50)), return_exceptions=True)
    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    assert calls == 1


async def test_a_database_that_goes_away_during_a_replay_fails_each_with_that() -> None:
    async def broken(items: Sequence[int]) -> Answers:
        raise ValueError("batch") if len(items) > 1 else DatabaseUnavailable("away")

    answers = await asyncio.gather(*map(GroupCommit(broken), range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 3


async def test_a_caller_that_gives_up_before_its_batch_takes_its_item_along() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger)
    first = await held(commit, ledger)
    kept, dropped = started(commit, 1, 2)
    await settle()
    dropped.cancel()
    await settle()
    ledger.gate.set()
    assert [await first, await kept] == [0, 10]
    assert ledger.committed == [0, 1]
    assert dropped.cancelled()


async def test_a_caller_that_gives_up_during_its_batch_harms_nobody() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger)
    first = await held(commit, ledger)
    second = started(commit, 1)[0]
    first.cancel()
    await settle()
    ledger.gate.set()
    assert await second == 10
    assert ledger.batches == [[0], [1]]


async def test_when_all_waiting_callers_gave_up_nothing_is_committed() -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger)
    first = await held(commit, ledger)
    waiting = started(commit, 1, 2, 3)
    await settle()
    for caller in waiting:
        caller.cancel()
    ledger.gate.set()
    await first
    await settle()
    assert ledger.batches == [[0]]
    assert await commit(4) == 40


async def test_batches_never_overlap() -> None:
    open_now = 0
    most = 0

    async def watched(items: Sequence[int]) -> Answers:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0)
        open_now -= 1
        return list(items)

    commit = GroupCommit(watched, max_items=2)
    await asyncio.gather(*map(commit, range(20)))
    assert most == 1


@pytest.mark.parametrize("pauses", [0, 1, 2, 3])
async def test_an_item_that_arrives_as_a_batch_ends_is_served(pauses: int) -> None:
    ledger = Ledger()
    commit = GroupCommit(ledger)

    async def late(item: int) -> int:
        for _ in range(pauses):
            await asyncio.sleep(0)
        return await commit(item)

    pending: list[Awaitable[int]] = [commit(1), late(2)]
    async with asyncio.timeout(60):
        assert await asyncio.gather(*pending) == [10, 20]
