"""A database that hangs: it is asked for a sign of life while somebody waits for it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvloop

from taskq_server.core.hang_detector import HangDetector

SILENCE = 0.3


class Signs:
    """Gives signs of life while `alive` is set, and counts who asks."""

    def __init__(self) -> None:
        self.alive = asyncio.Event()
        self.asked = 0
        self.returns = 0
        self.back = asyncio.Event()
        self._changed = asyncio.Condition()

    async def until(self, asked: int) -> None:
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: self.asked >= asked)

    async def ping(self) -> None:
        async with self._changed:
            self.asked += 1
            self._changed.notify_all()
        await self.alive.wait()
        for _ in range(20):  # an answer takes some round trips
            await asyncio.sleep(0)

    async def ping_for_ever(self) -> None:
        """Like a connection that waits until it is closed, whoever cancels that."""
        while not self.alive.is_set():
            with suppress(asyncio.CancelledError):
                await self.ping()

    async def answer(self) -> None:
        """Give a sign of life at once."""

    async def refuse(self) -> None:
        async with self._changed:
            self.asked += 1
            self._changed.notify_all()
        raise ConnectionRefusedError

    def on_return(self) -> None:
        self.returns += 1
        self.back.set()


@pytest.fixture
def signs() -> Signs:
    return Signs()


@pytest.fixture
async def pulse(signs: Signs) -> AsyncIterator[HangDetector]:
    pulse = HangDetector(signs.ping, SILENCE, signs.on_return)
    yield pulse
    await pulse.close()


async def wait(pulse: HangDetector, event: asyncio.Event, seconds: float = 30) -> str:
    try:
        async with pulse.limit(seconds):
            await event.wait()
    except TimeoutError:
        return "given up"
    return "done"


async def test_nobody_asks_a_database_that_answers(pulse: HangDetector, signs: Signs) -> None:
    for _ in range(100):
        async with pulse.limit(1):
            await asyncio.sleep(0)
    assert signs.asked == 0


async def test_who_waits_long_is_not_disturbed_while_there_are_signs_of_life(
    pulse: HangDetector, signs: Signs
) -> None:
    signs.alive.set()
    locked = asyncio.Event()
    waiting = asyncio.create_task(wait(pulse, locked))
    await signs.until(asked=3)
    locked.set()
    assert await waiting == "done"


async def test_who_waits_for_a_silent_database_is_told(pulse: HangDetector, signs: Signs) -> None:
    asked = time.monotonic()
    waiting = [wait(pulse, asyncio.Event()) for _ in range(20)]
    async with asyncio.timeout(60):
        assert set(await asyncio.gather(*waiting)) == {"given up"}
        assert time.monotonic() - asked >= SILENCE
        assert await wait(pulse, asyncio.Event()) == "given up", "at once, from now on"
    assert signs.asked == 1, "one who asks is enough"


def test_nobody_is_overlooked_by_the_clock_of_the_server() -> None:
    """uvloop counts milliseconds: a timer may seem to fire a little early."""

    async def alone() -> str:
        signs = Signs()
        pulse = HangDetector(signs.ping, 0.06, signs.on_return)
        try:
            async with asyncio.timeout(60):
                return await wait(pulse, asyncio.Event())
        finally:
            await pulse.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert {runner.run(alone()) for _ in range(30)} == {"given up"}


async def test_it_goes_on_as_soon_as_there_is_a_sign_of_life(
    pulse: HangDetector, signs: Signs
) -> None:
    assert await wait(pulse, asyncio.Event()) == "given up"
    free = asyncio.Event()
    free.set()
    assert await wait(pulse, free) == "given up"
    signs.alive.set()
    async with asyncio.timeout(60):
        await signs.back.wait()
        await asyncio.sleep(0)
    assert await wait(pulse, free) == "done"
    assert signs.returns == 1, "what was open is renewed before anybody is let in"


async def test_a_question_that_does_not_end_keeps_nobody_away(signs: Signs) -> None:
    asking = iter([signs.ping_for_ever, signs.answer])
    pulse = HangDetector(lambda: next(asking)(), SILENCE, signs.on_return, again_seconds=SILENCE)
    assert await wait(pulse, asyncio.Event()) == "given up"
    async with asyncio.timeout(60):
        await signs.back.wait()
    signs.alive.set()
    await pulse.close()


async def test_an_error_is_a_sign_of_life(signs: Signs) -> None:
    pulse = HangDetector(signs.refuse, SILENCE, signs.on_return)
    locked = asyncio.Event()
    waiting = asyncio.create_task(wait(pulse, locked))
    await signs.until(asked=3)
    locked.set()
    assert await waiting == "done"
    await pulse.close()


async def test_a_loop_that_stood_still_is_no_silent_database(
    pulse: HangDetector, signs: Signs
) -> None:
    locked = asyncio.Event()
    waiting = asyncio.create_task(wait(pulse, locked))
    await signs.until(asked=1)
    time.sleep(2 * SILENCE)  # noqa: ASYNC251
    signs.alive.set()
    await signs.until(asked=2)
    locked.set()
    assert await waiting == "done"


async def test_the_time_limit_counts_all_the_same(pulse: HangDetector, signs: Signs) -> None:
    signs.alive.set()
    async with asyncio.timeout(60):
        assert await wait(pulse, asyncio.Event(), seconds=0.05) == "given up"
    assert await wait(pulse, signs.alive) == "done"


async def test_an_error_and_a_cancellation_come_out(pulse: HangDetector) -> None:
    with pytest.raises(KeyError):
        async with pulse.limit(1):
            raise KeyError
    waiting = asyncio.create_task(wait(pulse, asyncio.Event()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
