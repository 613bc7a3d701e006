"""A clock that the test moves on, and what a process works with that has it."""

from dataclasses import replace
from datetime import datetime, timedelta

from taskq_server.core.clock import Clock
from taskq_server.runtime import Runtime


class MovedClock(Clock):
    """Another clock's time, and what the test has added."""

    def __init__(self, real: Clock) -> None:
        super().__init__()
        self._real = real
        self.later = timedelta()

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.later += timedelta(seconds=seconds)

    def earliest(self) -> datetime:
        return self._real.earliest() + self.later

    def __call__(self) -> datetime:
        return self._real() + self.later


def moved(runtime: Runtime) -> tuple[Runtime, MovedClock]:
    """Return the same with a clock to move; services that are there keep theirs."""
    clock = MovedClock(runtime.clock)
    return replace(runtime, clock=clock), clock
