"""A time limit that does not count the time in which the event loop stood still.

After a standstill all time limits have run out, although the answers may have arrived in time. So
this limit counts rounds of the event loop, and notes whether a round took far too long.
"""

import asyncio
from types import TracebackType
from typing import Self

_STILL_SECONDS = 0.25


class LoopTimeout:
    """Run a block for a limited time; raise `TimeoutError` when the time is over.

    Args:
        seconds: the limit, which counts only while the event loop runs.
        round_seconds: length of a round; in a busy loop, shorter rounds make the limit longer.

    Attributes:
        stood_still: whether the loop stood still, so that other time limits have run out as well.
    """

    def __init__(self, seconds: float, *, round_seconds: float = 0.25) -> None:
        self.stood_still = False
        self._left = seconds
        self._round = round_seconds
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        self._begin_round()

    async def __aenter__(self) -> Self:
        """Start the time limit."""
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the time limit; raise `TimeoutError` if it is over."""
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def give_up(self) -> None:
        """End the block now, unless an answer has already arrived."""
        if not self._limit.expired():
            self._limit.reschedule(self._loop.time())

    def _begin_round(self) -> None:
        self._due = self._loop.time() + min(self._round, self._left)
        self._timer = self._loop.call_at(self._due, self._end_round)

    def _end_round(self) -> None:
        if self._loop.time() - self._due > _STILL_SECONDS:
            self.stood_still = True
        self._left -= self._round
        if self._left > 0:
            self._begin_round()
        else:
            self.give_up()
