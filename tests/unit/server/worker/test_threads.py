"""How many sync tasks are worth a claim: as many as have a thread, or will have one in no time."""

import pytest

from taskq_server.domain.task import Task
from taskq_server.worker.attempts.running import RunningAttempt
from taskq_server.worker.attempts.threads import Threads
from tests.unit.server.factories import make_task
from tests.unit.server.worker.attempts import attempt_of

LIMIT = 4
MANY = 1_000


def tasks(handler: str, count: int = MANY) -> list[Task]:
    return [make_task(handler=handler)] * count


async def taken(threads: Threads, handler: str, count: int = 1) -> list[RunningAttempt]:
    held = [attempt_of(handler=handler) for _ in range(count)]
    for one in held:
        assert await threads.take(one)
    return held


async def learnt(threads: Threads, handler: str, seconds: float) -> None:
    for _ in range(200):
        (one,) = await taken(threads, handler)
        threads.give_back(one, seconds)


async def test_an_unknown_handler_needs_a_thread_for_each_task() -> None:
    threads = Threads(LIMIT, patience=0.01)
    for held in range(LIMIT + 1):
        assert threads.room == threads.room_for(tasks("any")) == LIMIT - held
        if held < LIMIT:
            await taken(threads, "any")


async def test_what_is_expected_counts() -> None:
    threads = Threads(LIMIT, patience=0.01)
    with threads.expected(attempt_of(handler="any")):
        assert threads.room == LIMIT - 1
    assert threads.room == LIMIT


@pytest.mark.parametrize(
    ("seconds", "claimed"), [(0.01, 8), (0.001, 80), (0.05, LIMIT), (1, LIMIT)]
)
async def test_short_handlers_let_more_be_claimed(seconds: float, claimed: int) -> None:
    threads = Threads(LIMIT, patience=0.01)
    await learnt(threads, "short", seconds)
    assert claimed <= threads.room_for(tasks("short")) <= claimed + 1
    assert threads.room_for(tasks("unknown")) == LIMIT


async def test_a_thread_with_a_long_handler_is_no_thread_for_short_ones() -> None:
    threads = Threads(LIMIT, patience=0.01)
    await learnt(threads, "short", 0.01)
    await taken(threads, "long", LIMIT - 1)
    assert threads.room_for(tasks("short")) <= 3
    assert threads.room_for(tasks("long", 1) + tasks("short")) == 1, "the last one takes the rest"
    await taken(threads, "long")
    assert threads.room == threads.room_for(tasks("short")) == 0


async def test_a_thread_with_a_short_handler_is_as_good_as_free() -> None:
    threads = Threads(LIMIT, patience=0.01)
    await learnt(threads, "short", 0.01)
    await taken(threads, "short", LIMIT)
    assert LIMIT - 1 <= threads.room <= LIMIT
    assert threads.room_for(tasks("long")) == 2, "the others are for short ones"


async def test_one_that_waits_for_too_long_ends_the_trust_in_short_ones() -> None:
    threads = Threads(LIMIT, patience=0.01)
    await learnt(threads, "short", 0.001)
    held = await taken(threads, "short", LIMIT)
    assert threads.room > 0
    assert not await threads.take(attempt_of(handler="short"))
    assert threads.room == threads.room_for(tasks("short")) == 0
    for one in held:
        threads.give_back(one, 1.0)
    assert threads.room == LIMIT
