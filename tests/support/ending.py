"""Handlers that end their process, or try to."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from taskq_server import Context, handler

WAYS: Mapping[str, Callable[[], Any]] = {
    "exit 0": partial(os._exit, 0),
    "exit 78": partial(os._exit, 78),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "exit 1": partial(os._exit, 1),
    "exit 75": partial(os._exit, 75),
    "raise SIGTERM": partial(signal.raise_signal, signal.SIGTERM),
    "raise SIGINT": partial(signal.raise_signal, signal.SIGINT),
    "abort": os.abort,
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


@handler("ending.once")
async def end_once(context: Context, way: str) -> int:
    """End the process at the first attempt, and answer the number of the last."""
    if context.attempt == 1:
        WAYS[way]()
    return context.attempt


async def _exit(error: type[BaseException]) -> None:
    raise error(0)


def _when_readable(loop: asyncio.AbstractEventLoop) -> None:
    ours, theirs = socket.socketpair()

    def read() -> None:
        loop.remove_reader(ours)
        ours.close()
        theirs.close()
        sys.exit(0)

    loop.add_reader(ours, read)
    theirs.send(b".")


_tasks: list[asyncio.Task[None]] = []

LEFT: Mapping[str, Callable[[asyncio.AbstractEventLoop], Any]] = {
    "task": lambda loop: _tasks.append(loop.create_task(_exit(SystemExit))),
    "interrupted task": lambda loop: _tasks.append(loop.create_task(_exit(KeyboardInterrupt))),
    "callback": lambda loop: loop.call_soon(sys.exit, 0),
    "two callbacks": lambda loop: [loop.call_soon(sys.exit, 0) for _ in range(2)],
    "callback from a thread": lambda loop: loop.call_soon_threadsafe(sys.exit, 0),
    "timer": lambda loop: loop.call_later(0.01, sys.exit, 0),
    "reader": _when_readable,
    "stop": lambda loop: loop.stop(),
}


@handler("ending.left", max_retries=0)
async def leave_exit(what: str) -> int:
    """Leave something on the event loop that raises an exit, and answer the process."""
    LEFT[what](asyncio.get_running_loop())
    await asyncio.sleep(0.1)
    return os.getpid()


@handler("ending.awaited", max_retries=0)
async def await_exit() -> None:
    """Await something that raises an exit."""
    await asyncio.gather(_exit(SystemExit), asyncio.sleep(60))
