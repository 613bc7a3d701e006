"""Handlers that misbehave; only the workers of the fault tests load them."""

import asyncio
import os
import re
import resource
import signal
import time

from taskq_server import Context, handler

_MEGABYTE = 1024 * 1024


@handler("bad.exit")
async def exit_now(after: float = 0) -> None:
    """End the whole process, as a bug in C code would."""
    await asyncio.sleep(after)
    os._exit(3)


@handler("bad.segfault")
async def segfault() -> None:
    """Break the process with SIGSEGV."""
    os.kill(os.getpid(), signal.SIGSEGV)


@handler("bad.oom_killed")
async def oom_killed() -> None:
    """Be chosen by the kernel's out-of-memory killer."""
    os.kill(os.getpid(), signal.SIGKILL)


@handler("bad.out_of_memory")
async def out_of_memory() -> int:
    """Take more memory than the process may have; Python survives that."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_virtual_bytes() + 32 * _MEGABYTE, before[1]))
    try:
        return len(bytearray(1024 * _MEGABYTE))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@handler("bad.neighbour")
async def neighbour(context: Context) -> int:
    """Be there when the worker goes down, and be done soon the next time."""
    await asyncio.sleep(3600 if context.attempt == 1 else 0.05)
    return context.attempt


@handler("bad.block")
async def block(seconds: float) -> None:
    """Block the event loop: a coroutine that does not know what it does."""
    time.sleep(seconds)  # noqa: ASYNC251


@handler("bad.hold_gil")
def hold_gil() -> None:
    """Let no other thread of the process run for some centuries."""
    re.match(r"(a+)+$", "a" * 60 + "b")


@handler("bad.deaf")
async def deaf() -> None:
    """Go on whatever one is told."""
    while True:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


@handler("bad.deaf_thread")
def deaf_thread() -> None:
    """Go on in a thread whatever one is told."""
    while True:
        time.sleep(0.05)


@handler("bad.hold")
async def hold(context: Context, seconds: float, again: float | None = None) -> int:
    """Take some time, `again` if it is not the first attempt, and answer which one it was."""
    await asyncio.sleep(seconds if context.attempt == 1 or again is None else again)
    return context.attempt


@handler("bad.until_cancelled")
async def until_cancelled() -> None:
    """Work until told to stop, and obey."""
    await asyncio.sleep(3600)


@handler("bad.until_cancelled_thread")
def until_cancelled_thread(context: Context) -> None:
    """Work in a thread until told to stop, and obey."""
    while not context.cancelled:
        time.sleep(0.01)


@handler("bad.huge_result")
async def huge_result(size: int) -> str:
    """Return more than anybody wants to store."""
    return "x" * size


@handler("bad.huge_message")
async def huge_message(size: int) -> None:
    """Fail with more words than anybody wants to read."""
    raise ValueError("y" * size)


@handler("bad.storm")
async def storm(context: Context, reports: int, each: int) -> int:
    """Report progress, `each` at a time, a hundred times a second."""
    for number in range(reports):
        context.progress(number, reports, "z" * 400)
        if number % each == each - 1:
            await asyncio.sleep(0.01)
    return reports


@handler("bad.fail")
async def fail(context: Context, times: int = 1_000_000) -> int:
    """Fail the first `times` attempts."""
    if context.attempt <= times:
        raise ConnectionError("the upstream is dead")
    return context.attempt


@handler("bad.fail_at")
async def fail_at(at: float) -> None:
    """Fail at this moment of the monotonic clock, which is the same in all processes."""
    await asyncio.sleep(max(0.0, at - time.monotonic()))
    raise ConnectionError("the upstream is dead")


@handler("bad.clocks")
async def clocks(seconds: float = 0.0) -> list[float]:
    """Answer what the clocks showed at the start: monotonic, and the wall's."""
    shown = [time.monotonic(), time.time()]
    await asyncio.sleep(seconds)
    return shown


def _virtual_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[0]) * resource.getpagesize()
