"""So many handlers at once, in turn; short ones let more be claimed."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain.task import Priority
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from taskq_server.worker.attempts.slots import Slots
from tests.unit.server.factories import NOW, seconds
from tests.unit.server.worker.attempts import attempt_of, settle

ENOUGH = 100


async def taken(slots: Slots, count: int) -> list[RunningAttempt]:
    held = [attempt_of() for _ in range(count)]
    for one in held:
        assert await slots.take(one)
    return held


async def has_room_for(slots: Slots) -> int:
    """How many slots are free now; they are left free."""
    free = 0
    while free < ENOUGH and await asyncio.wait_for(slots.take(attempt_of()), 60):
        free += 1
    for _ in range(free):
        slots.give_back(0.0)
    return free


async def test_slots_are_given_in_turn() -> None:
    slots = Slots(1)
    await taken(slots, 1)
    order: list[int] = []

    async def wait(number: int) -> None:
        assert await slots.take(attempt_of())
        order.append(number)

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await settle()
    for number in range(3):
        assert len(order) == number
        slots.give_back(0.0)
        await waiting[number]
    assert order == [0, 1, 2]


async def test_who_waits_goes_by_score() -> None:
    """A low task is due long before the others; those alike go in turn."""
    slots = Slots(1, patience=10)
    await taken(slots, 1)
    order: list[str] = []

    async def wait(name: str, priority: Priority, earlier: float = 0) -> None:
        due = NOW - seconds(earlier)
        assert await slots.take(attempt_of(priority=priority, created_at=due))
        order.append(name)
        slots.give_back(0.0)

    waiting = [
        asyncio.create_task(wait("low", Priority.LOW)),
        asyncio.create_task(wait("first normal", Priority.NORMAL)),
        asyncio.create_task(wait("urgent", Priority.URGENT)),
        asyncio.create_task(wait("second normal", Priority.NORMAL)),
        asyncio.create_task(wait("old", Priority.LOW, earlier=1_000)),
    ]
    await settle()
    slots.give_back(0.0)
    await asyncio.gather(*waiting)
    assert order == ["old", "urgent", "first normal", "second normal", "low"]


async def test_no_slot_for_too_long_is_no_slot() -> None:
    slots = Slots(2, patience=0.01)
    await taken(slots, 2)
    assert not await slots.take(attempt_of())
    slots.give_back(0.0)
    assert await has_room_for(slots) == 1


@pytest.mark.parametrize("when", ["before", "while it waits", "with its turn"])
async def test_an_interrupted_attempt_leaves_its_turn(when: str) -> None:
    slots = Slots(1, patience=0.05)
    await taken(slots, 1)
    attempt = attempt_of()
    if when == "before":
        attempt.interrupt(StopReason.CANCEL)
    waiting = asyncio.create_task(slots.take(attempt))
    await asyncio.sleep(0)
    if when == "with its turn":
        slots.give_back(0.0)
    attempt.interrupt(StopReason.CANCEL)
    assert not await waiting
    if when != "with its turn":
        slots.give_back(0.0)
    assert await has_room_for(slots) == 1


@pytest.mark.parametrize("has_turn", [True, False])
async def test_a_cancelled_task_leaves_its_turn(has_turn: bool) -> None:
    slots = Slots(1, patience=0.05)
    await taken(slots, 1)
    waiting = asyncio.create_task(slots.take(attempt_of()))
    await asyncio.sleep(0)
    if has_turn:
        slots.give_back(0.0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not has_turn:
        slots.give_back(0.0)
    assert await has_room_for(slots) == 1


async def test_short_handlers_let_more_be_claimed_until_one_finds_no_slot() -> None:
    slots = Slots(10, patience=0.01)
    assert slots.claimable == 10
    for _ in range(ENOUGH):
        await taken(slots, 1)
        slots.give_back(0.001)
    assert slots.claimable == 20
    await taken(slots, 10)
    assert not await slots.take(attempt_of())
    assert slots.claimable == 10


async def test_a_long_one_in_ten_is_not_short() -> None:
    slots = Slots(10)
    seen = set()
    for number in range(ENOUGH * 10):
        await taken(slots, 1)
        slots.give_back(1.0 if number % 10 == 0 else 0.001)
        seen.add(slots.claimable)
    assert seen == {10}


@given(st.lists(st.sampled_from(["take", "give", "interrupt", "cancel", "pass"]), max_size=60))
def test_no_slot_is_lost_and_none_is_given_twice(steps: list[str]) -> None:
    asyncio.run(play(steps))


async def play(steps: list[str]) -> None:
    limit, holders, most = 3, 0, 0
    slots = Slots(limit, patience=0.005)
    waiting: list[tuple[RunningAttempt, asyncio.Task[None]]] = []

    async def hold(attempt: RunningAttempt) -> None:
        nonlocal holders, most
        if await slots.take(attempt):
            holders += 1
            most = max(most, holders)

    for step in steps:
        match step:
            case "take":
                attempt = attempt_of()
                waiting.append((attempt, asyncio.create_task(hold(attempt))))
            case "give" if holders:
                holders -= 1
                slots.give_back(0.0)
            case "interrupt" if waiting:
                waiting[-1][0].interrupt(StopReason.CANCEL)
            case "cancel" if waiting:
                waiting[-1][1].cancel()
            case _:
                await asyncio.sleep(0)
    await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
    for _ in range(holders):
        slots.give_back(0.0)
    assert most <= limit
    assert await has_room_for(slots) == limit


async def test_namespaces_take_turns_whatever_waits_longest() -> None:
    slots = Slots(1, patience=10)
    await taken(slots, 1)
    order: list[str] = []

    async def wait(namespace: str, earlier: float) -> None:
        due = NOW - seconds(earlier)
        assert await slots.take(attempt_of(namespace=namespace, created_at=due))
        order.append(namespace)
        slots.give_back(0.0)

    backlog = [asyncio.create_task(wait("backlog", earlier=1_000 - n)) for n in range(5)]
    await settle()
    late = [asyncio.create_task(wait(name, earlier=0)) for name in ("few", "few", "one")]
    await settle()
    slots.give_back(0.0)
    await asyncio.gather(*backlog, *late)
    assert order[:5] == ["backlog", "few", "one", "backlog", "few"]
    assert await has_room_for(slots) == 1
