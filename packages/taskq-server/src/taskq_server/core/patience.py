"""A time limit that does not blame others for an event loop that stood still.

When such a loop goes on, all time limits have run out, although the answers may have come in time.
So this one counts rounds in which the loop turned, and knows whether one of them took far too long.
"""

import asyncio
from types import TracebackType
from typing import Self

_STILL_SECONDS = 0.25


class Patience:
    """Run a block for so many seconds at most; raises `TimeoutError` when they are over.

    Args:
        seconds: of a loop that turns.
        round_seconds: length of a round; in a busy loop, shorter ones give others more time.

    Attributes:
        stood_still: whether the loop did, so that time limits of others have run out as well.
    """

    def __init__(self, seconds: float, *, round_seconds: float = 0.25) -> None:
        self.stood_still = False
        self._left = seconds
        self._round = round_seconds
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        self._begin_round()

    async def __aenter__(self) -> Self:
        """Begin."""
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; the time limit becomes a `TimeoutError`."""
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def give_up(self) -> None:
        """End the block now, but for what it has been told already."""
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
