"""Long checks take turns on the event loop, and leave one in between to everybody else."""

import asyncio
import time

from taskq_server.core.turns import PIECE_SECONDS, Turns


class Ticks:
    """Counts the turns of the loop, as anybody else sees them."""

    def __init__(self) -> None:
        self.now = 0
        self._task = asyncio.create_task(self._count())

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.now += 1

    def stop(self) -> None:
        self._task.cancel()


def work(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def test_one_at_a_time_in_the_order_of_asking() -> None:
    turns, ticks, had = Turns(), Ticks(), list[tuple[int, int]]()

    async def check(number: int) -> None:
        await turns.next()
        had.append((number, ticks.now))

    await asyncio.gather(*map(check, range(20)))
    ticks.stop()
    assert [number for number, _ in had] == list(range(20))
    assert len({tick for _, tick in had}) == 20


async def test_the_pieces_of_two_checks_alternate() -> None:
    turns, had = Turns(), list[str]()

    async def check(name: str) -> None:
        pace = turns.pace()
        for _ in range(6):
            await pace.rest()
            had.append(name)
            work(PIECE_SECONDS)

    await asyncio.gather(check("a"), check("b"))
    assert had == ["a", "b"] * 6


async def test_a_check_that_is_quick_needs_one_turn() -> None:
    ticks, pace = Ticks(), Turns().pace()
    await pace.rest()
    before = ticks.now
    for _ in range(100):
        await pace.rest()
    assert ticks.now == before
    ticks.stop()


async def test_whoever_gives_up_holds_up_nobody() -> None:
    turns = Turns()
    waiting = [asyncio.create_task(turns.next()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    async with asyncio.timeout(60):
        await waiting[2]
        await turns.next()
