"""Notice from another thread that an event loop stands still."""

import asyncio
import time


class LoopWatch:
    """Ask an event loop again and again whether it still runs.

    Args:
        loop: the one to watch.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._answered = time.monotonic()

    def silence(self) -> float:
        """Ask once more, and return for how many seconds no answer has come."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.answer)
        return time.monotonic() - self._answered

    def answer(self) -> None:
        """Note that the loop runs; called on it."""
        self._answered = time.monotonic()
