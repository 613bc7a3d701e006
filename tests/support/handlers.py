"""Handlers that the stacks of the tests run beside the built-in ones."""

import asyncio
import os
import time

from taskq_server import Context, Fatal, handler


@handler("tests.add")
async def add(a: int, b: int = 1) -> int:
    """Add two numbers: a typed payload with a default."""
    return a + b


@handler("tests.mail", priority="low", tags=["mail"], unique_key="/to")
async def mail(to: str = "you") -> str:
    """Say for whom a mail is: what such tasks have besides, the handler says."""
    return to


@handler("tests.pid")
async def pid(context: Context, seconds: float = 0, note: str = "") -> int:
    """Say which process this is, and which one its parent, at the beginning and at the end."""
    await context.progress(os.getpid(), os.getppid(), note)
    await asyncio.sleep(seconds)
    return os.getpid()


@handler("tests.fatal")
async def fatal(message: str = "no") -> None:
    """Fail for good at the first attempt."""
    raise Fatal(message)


@handler("tests.progress")
async def progress(context: Context, steps: int = 3, seconds: float = 0.01) -> int:
    """Report progress step by step."""
    for step in range(1, steps + 1):
        await context.progress(step, steps, f"step {step}")
        await asyncio.sleep(seconds)
    return steps


@handler("tests.thread")
def thread(context: Context, seconds: float = 0.01) -> str:
    """Work in a thread until the time is up or the task is cancelled."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not context.cancelled:
        time.sleep(0.01)
    return "cancelled" if context.cancelled else "done"


@handler("tests.again", unique_key="/key")
async def again(context: Context, key: str) -> str:
    """Submit the same again, which is not needed while this runs."""
    return str(await context.submit("tests.again", {"key": key}))


@handler("tests.parent")
async def parent(context: Context, children: int, queue: str = "default") -> list[str]:
    """Submit children and answer their ids."""
    return [
        str(await context.submit("taskq.echo", {"value": number}, queue=queue))
        for number in range(children)
    ]
