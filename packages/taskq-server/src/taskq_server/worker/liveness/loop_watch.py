"""Detect, from another thread, that an event loop stands still."""

import asyncio
import time


class LoopWatch:
    """Schedule callbacks on an event loop, and measure how long none has run.

    Args:
        loop: the loop to watch.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._answered = time.monotonic()

    def silence(self) -> float:
        """Schedule a callback, and return for how many seconds none has run."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.answer)
        return time.monotonic() - self._answered

    def answer(self) -> None:
        """Note that the loop runs; called on the loop."""
        self._answered = time.monotonic()
