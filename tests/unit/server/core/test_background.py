"""Work behind the scenes."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable

import pytest
import uvloop

from taskq_server.core.background import background, complete, unless

NewLoop = Callable[[], asyncio.AbstractEventLoop] | None


async def test_work_runs_while_the_block_runs_and_ends_with_it() -> None:
    running = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with background({"work": work}):
        async with asyncio.timeout(60):
            await running.wait()
        assert not ended.is_set()
    assert ended.is_set()


async def lose_a_cancel() -> None:
    """Wait as a driver does that connects: Python 3.11 drops a cancel at the wrong moment."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_work_ends_though_a_cancel_got_lost() -> None:
    async with asyncio.timeout(60):
        async with background({"work": lose_a_cancel}):
            await asyncio.sleep(0)


async def test_work_that_is_no_longer_needed_ends_though_a_cancel_got_lost() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    async with asyncio.timeout(60):
        assert not await unless(stop, lose_a_cancel())


async def test_work_that_fails_is_logged_and_starts_again_and_the_rest_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts = 0
    again = asyncio.Event()
    neighbour_ended = asyncio.Event()

    async def failing() -> None:
        nonlocal starts
        starts += 1
        if starts > 1:
            again.set()
            await asyncio.Event().wait()
        raise RuntimeError("a surprise")

    async def neighbour() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            neighbour_ended.set()

    with caplog.at_level(logging.ERROR, "taskq.server"):
        async with background({"failing": failing, "its neighbour": neighbour}):
            async with asyncio.timeout(60):
                await again.wait()
            assert not neighbour_ended.is_set()
    assert "a surprise" in caplog.text
    assert caplog.messages == ["failing failed, and starts again in 1 s"]
    assert starts == 2


async def test_an_error_in_the_block_ends_the_work_and_comes_out() -> None:
    ended = asyncio.Event()
    running = asyncio.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> None:
        async with background({"work": work}):
            await running.wait()
            raise KeyError("out")

    with pytest.raises(KeyError):
        await fail()
    assert ended.is_set()


async def test_work_is_left_when_something_else_makes_it_pointless() -> None:
    stop = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(60):
        assert not await unless(stop, work())
    assert ended.is_set()


async def test_work_that_is_done_in_time_counts_as_done() -> None:
    assert await unless(asyncio.Event(), asyncio.sleep(0))


async def test_an_error_of_the_work_comes_out() -> None:
    async def fail() -> None:
        raise RuntimeError("a surprise")

    with pytest.raises(RuntimeError, match="a surprise"):
        await unless(asyncio.Event(), fail())


@pytest.mark.parametrize("new_loop", [None, uvloop.new_event_loop])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_on_its_loop_does_not_end_the_work(
    new_loop: NewLoop, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    async def exit_now() -> None:
        raise error

    async def work() -> None:
        loop = asyncio.get_running_loop()
        left = loop.create_task(exit_now())
        loop.stop()
        for callback in (done.append, sys.exit, done.append):
            loop.call_soon(callback, "next")
        await asyncio.sleep(0.01)
        assert isinstance(left.exception(), error)
        done.append("work")

    complete(work(), new_loop)
    assert done == ["next", "next", "work"]
    assert "something that a handler left on the event loop raised an exit" in caplog.text


@pytest.mark.parametrize("new_loop", [None, uvloop.new_event_loop])
def test_an_exit_or_an_error_of_the_work_itself_is_its_callers(new_loop: NewLoop) -> None:
    async def work(error: BaseException) -> None:
        raise error

    for error in (SystemExit(3), KeyboardInterrupt(), ValueError("no")):
        with pytest.raises(type(error)) as raised:
            complete(work(error), new_loop)
        assert raised.value is error


@pytest.mark.parametrize("new_loop", [None, uvloop.new_event_loop])
def test_an_exit_of_what_is_cancelled_at_the_end_ends_nothing(new_loop: NewLoop) -> None:
    async def exit_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            sys.exit(3)

    left: list[asyncio.Task[None]] = []

    async def work() -> None:
        left.append(asyncio.create_task(exit_when_cancelled()))
        await asyncio.sleep(0)

    complete(work(), new_loop)
    assert isinstance(left[0].exception(), SystemExit)
