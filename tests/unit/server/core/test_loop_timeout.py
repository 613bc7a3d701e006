"""A time limit, also of a loop that stands still."""

import asyncio
import socket
import threading
import time

import pytest

from taskq_server.core.loop_timeout import LoopTimeout


def stand_still(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.6])
async def test_it_ends_when_the_time_is_up(seconds: float) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with LoopTimeout(seconds) as limit:
            await asyncio.sleep(30)
    assert seconds <= time.monotonic() - began < seconds + 10
    assert not limit.stood_still


async def test_what_ends_in_time_is_left_alone() -> None:
    async with LoopTimeout(0.1):
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)


async def test_time_in_which_the_loop_stood_still_is_nobodys() -> None:
    async with LoopTimeout(0.5) as limit:
        await asyncio.sleep(0.01)
        stand_still(1.5)
        await asyncio.sleep(0.05)
    assert limit.stood_still


async def test_a_busy_loop_gives_others_more_time() -> None:
    """Each of its turns takes 50 ms: what needs ten of them is in time all the same."""
    async with LoopTimeout(0.25, round_seconds=0.02) as limit:
        for _ in range(10):
            stand_still(0.05)
            await asyncio.sleep(0)
    assert not limit.stood_still


async def test_an_answer_that_came_meanwhile_is_heard() -> None:
    reader, ours = await asyncio.open_connection(sock=_echo())
    async with LoopTimeout(0.2) as limit:
        ours.write(b"word")
        stand_still(1)
        assert await reader.readexactly(4) == b"word"
    assert limit.stood_still
    ours.close()


async def test_it_can_be_given_up() -> None:
    async def end() -> None:
        await asyncio.sleep(0.05)
        limit.give_up()
        limit.give_up()

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with LoopTimeout(30) as limit:
            await asyncio.gather(end(), asyncio.sleep(30))
    assert time.monotonic() - began < 15


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def block() -> None:
        async with LoopTimeout(30):
            await asyncio.sleep(30)

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def _echo() -> socket.socket:
    """A connection whose other end answers what it hears, in a thread."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with theirs:
            theirs.sendall(theirs.recv(4))

    threading.Thread(target=answer, daemon=True).start()
    return ours
