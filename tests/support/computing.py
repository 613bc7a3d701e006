"""Handlers that ask for a process, and hooks that say what happened in it.

A hook notes the process in the folder of `FOLDER`, if there is one: `<pid>.started`, `<pid>.ended`.
"""

import contextvars
import os
import re
import signal
import time
from hashlib import sha256
from pathlib import Path

from taskq_server import Context, State, handler, on_shutdown, on_startup
from tests.support import holding

FOLDER = "TASKQ_TEST_COMPUTING"
"""The variable that names the folder; not one of taskq's settings."""

_started = contextvars.ContextVar("started", default=0)
_calls = 0


@on_startup
def begin(state: State) -> None:
    """Note the process."""
    state.started_in = os.getpid()
    _note("started")


@on_startup
async def set_context(_: State) -> None:
    """Set what handlers inherit."""
    _started.set(os.getpid())


@on_shutdown
def finish(_: State) -> None:
    """Note the end of the process."""
    _note("ended")


def _note(what: str) -> None:
    if folder := os.environ.get(FOLDER):
        Path(folder, f"{os.getpid()}.{what}").touch()


@handler("compute.facts", process=True)
def facts(context: Context) -> dict[str, int]:
    """Say where this runs, which call of the process this is, and what hooks have left."""
    global _calls
    _calls += 1
    return {
        "pid": os.getpid(),
        "call": _calls,
        "state": context.state.started_in,
        "variable": _started.get(),
    }


@handler("compute.digest", process=True)
def digest(rounds: int = 1) -> str:
    """Compute, and let no other thread of the process run for long."""
    found = b""
    for _ in range(rounds):
        found = sha256(found).digest()
    return found.hex()


@handler("compute.steps", process=True)
def steps(context: Context, seconds: float = 60) -> str:
    """Report the process, and stop when told to."""
    context.progress(os.getpid())
    end = time.monotonic() + seconds
    while time.monotonic() < end and not context.cancelled:
        time.sleep(0.01)
    return "cancelled" if context.cancelled else "done"


@handler("compute.stubborn", process=True)
def stubborn(context: Context) -> None:
    """Report the process, and compute for ever."""
    context.progress(os.getpid())
    while True:
        sha256(b"").digest()


@handler("compute.hold_gil", process=True)
def hold_gil(context: Context) -> None:
    """Report the process, and a moment later let none of its threads run any more."""
    context.progress(os.getpid())
    time.sleep(0.7)
    re.match(r"(a+)+$", "a" * 60 + "b")


@handler("compute.exit", process=True, max_retries=1)
def leave(status: int) -> None:
    """End the process."""
    os._exit(status)


@handler("compute.signal", process=True, max_retries=0)
def die(number: int = signal.SIGSEGV) -> None:
    """End the process as a fault of the memory does."""
    os.kill(os.getpid(), number)
    time.sleep(60)


@handler("compute.hold", process=True, max_retries=0)
def hold(name: str) -> str:
    """Hold a process until a test lets go of it."""
    return holding.hold(name)


@handler("compute.parent", process=True)
def parent(context: Context, children: int) -> list[str]:
    """Submit children and answer their ids."""
    return [
        str(context.submit_blocking("compute.digest", {"rounds": number}))
        for number in range(children)
    ]


@handler("compute.wrong", process=True)
def wrong() -> object:
    """Raise an error."""
    raise LookupError("nothing there")


@handler("beside.thread")
def thread() -> int:
    """Say which process runs the threads."""
    return os.getpid()
