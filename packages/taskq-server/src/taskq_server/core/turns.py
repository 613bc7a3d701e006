"""Turns on the event loop for long checks: after one piece of a check, all other tasks run.

A thread would not help, because parsers and validators hold the interpreter for a whole call.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

PIECE_SECONDS = 0.005
"""Seconds that a check may run before it waits for another turn."""

_LARGE_AT_ONCE = 4


class Turns:
    """Share the event loop among all long checks of a process.

    Attributes:
        large: a semaphore for bodies that take much memory while they are checked.
    """

    def __init__(self) -> None:
        self.large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._first_in_line = asyncio.Lock()

    async def next(self) -> None:
        """Wait for the caller's turn: first come, first served, one turn per round of the loop."""
        async with self._first_in_line:
            await asyncio.sleep(0)

    def pace(self) -> "Pace":
        """Return the pace of one check, which begins by waiting for a turn."""
        return Pace(self.next)


class Pace:
    """The pieces of one check.

    Args:
        turn: waits for the next turn.
    """

    def __init__(self, turn: Callable[[], Awaitable[None]]) -> None:
        self._turn = turn
        self._until = 0.0

    async def rest(self) -> None:
        """Wait for another turn if the last one is used up."""
        if perf_counter() >= self._until:
            await self._turn()
            self._until = perf_counter() + PIECE_SECONDS
