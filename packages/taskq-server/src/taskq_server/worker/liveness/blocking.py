"""Name the handler that blocks an event loop, and where it stands, while it does."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import Context
from itertools import islice
from traceback import walk_stack
from types import FrameType
from typing import Protocol

from taskq_server.core.log_context import About, Fields, fields_in
from taskq_server.worker.liveness.loop_watch import LoopWatch

_LOOK_SECONDS = 0.2
_SECONDS = 0.8
"""A handler that blocks for a second is silent for so long when somebody looks."""

_MOST_FRAMES = 10
_MOST_NAMES = 5
_IDLE = frozenset({"taskq_server.core.background", "asyncio.base_events", "selectors"})
"""Where a loop stands that runs nothing: if it is silent there, it waits for a CPU."""

_log = logging.getLogger("taskq.server.worker")


class OnLoop(Protocol):
    """What runs on an event loop; asked from another thread."""

    def fields(self, job: "asyncio.Task[object]") -> Fields | None:
        """Return what the attempt is about that a task of the loop runs; None if it runs none."""

    @property
    def handlers_on_loop(self) -> list[str]:
        """The handlers that run on the loop."""


class BlockingWatch:
    """Look from a thread at the loop of the caller, as a context manager.

    Each block is told when it has lasted for about a second, and when it is over.

    Args:
        on_loop: says what runs on the loop.
    """

    def __init__(self, on_loop: OnLoop) -> None:
        self._on_loop = on_loop
        self._loop = asyncio.get_running_loop()
        self._thread_of_loop = threading.get_ident()
        self._watch = LoopWatch(self._loop)
        self._stop = threading.Event()
        self._longest = 0.0
        # A thread of its own, because that of the lease may wait for the database.
        self._thread = threading.Thread(
            target=self._look_for_ever, name="taskq-blocking", daemon=True
        )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look_for_ever(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(_LOOK_SECONDS):
            now = time.monotonic()
            silent = self._watch.silence()
            if now - before < _SECONDS:  # else this thread stood still as well: a frozen process
                self._note(silent)
            before = now

    def _note(self, silent: float) -> None:
        if silent < _SECONDS:
            if self._longest:
                _log.warning("the event loop goes on, after %.1f s", self._longest)
            self._longest = 0.0
            return
        frame = sys._current_frames().get(self._thread_of_loop)
        if self._longest:
            self._longest = silent
        elif frame is not None and frame.f_globals.get("__name__") not in _IDLE:
            self._longest = silent
            self._tell(silent, frame)

    def _tell(self, silent: float, frame: FrameType) -> None:
        task = asyncio.current_task(self._loop)
        fields = {} if task is None else self._on_loop.fields(task) or _fields_of(task)
        where = list(_places(frame))
        who = f"the handler {fields['handler']}" if "handler" in fields else self._somebody()
        with About(lambda: fields):
            _log.warning(
                "%s blocks the event loop, for %.1f s by now, at %s: nothing else on it goes on "
                "meanwhile. Await what takes long, or let the handler be a `def`, which runs in a "
                "thread",
                who, silent, where[0], extra={"where": where},
            )  # fmt: skip

    def _somebody(self) -> str:
        names = ", ".join(self._on_loop.handlers_on_loop[:_MOST_NAMES])
        return f"something that runs beside {names}" if names else "something"


def _fields_of(task: "asyncio.Task[object]") -> Fields:
    """Return what a task that a handler has started is about; Python 3.11 does not tell."""
    context: Callable[[], Context] | None = getattr(task, "get_context", None)
    return {} if context is None else fields_in(context())


def _places(frame: FrameType) -> Iterator[str]:
    """Yield where a thread stands, and from where that was called."""
    for each, line in islice(walk_stack(frame), _MOST_FRAMES):
        yield f"{each.f_code.co_filename}:{line} in {each.f_code.co_qualname}"
