"""What the probes of a worker say: whether it lives, and whether it takes tasks."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import assert_never

from taskq_server.worker.liveness.loop_watch import LoopWatch

_LATE_SECONDS = 5.0


class _Phase(Enum):
    STARTING = auto()
    WORKING = auto()
    DRAINING = auto()


class Health:
    """The health of this process's worker, which any thread may ask for.

    The event loop is judged while the worker works, because functions that run at its start and its
    end may take long.

    Args:
        block_seconds: for how long the event loop of a worker that lives may stand still.
    """

    def __init__(self, block_seconds: float) -> None:
        self._block_seconds = block_seconds
        self._phase = _Phase.STARTING
        self._watch: LoopWatch | None = None
        self._has_lease: Callable[[], bool] = lambda: False
        self._silence = 0.0

    @contextmanager
    def working(self, has_lease: Callable[[], bool]) -> Iterator[None]:
        """Say that the worker takes tasks while the block runs, on this event loop.

        Args:
            has_lease: whether its lease is valid: without one it may claim nothing.
        """
        self._has_lease = has_lease
        self._watch = LoopWatch(asyncio.get_running_loop())
        self._phase = _Phase.WORKING
        try:
            yield
        finally:
            self._phase = _Phase.DRAINING
            self._watch = None

    def drain(self) -> None:
        """Say that the worker takes no more tasks."""
        self._phase = _Phase.DRAINING

    def look(self) -> None:
        """Look whether the event loop runs; called once a second, from another thread."""
        watch = self._watch
        self._silence = 0.0 if watch is None else watch.silence()

    @property
    def is_alive(self) -> bool:
        """Whether the process is worth keeping: its event loop runs, or is not judged."""
        return self._silence <= self._block_seconds

    def reasons(self) -> list[str]:
        """Return why the worker takes no tasks, as codes that stay; empty if it takes some."""
        match self._phase:
            case _Phase.STARTING:
                return ["starting"]
            case _Phase.DRAINING:
                reasons = ["draining"]
            case _Phase.WORKING:
                reasons = [] if self._has_lease() else ["lease-expired"]
            case _:
                assert_never(self._phase)
        if self._silence > min(_LATE_SECONDS, self._block_seconds):
            reasons.append("event-loop-blocked")
        return reasons
