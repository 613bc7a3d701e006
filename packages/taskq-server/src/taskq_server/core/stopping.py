"""What this process is told: to end, and the second time, not to wait for what runs.

Whatever hangs then, an import, a hook or the event loop itself, the process ends: a thread that
needs none of them sees to it.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from queue import Empty, SimpleQueue

from taskq_server.core.processes import heed, keep_from_forks, leave

_START_SECONDS = 5.0
_LAST_SECONDS = 5.0
_log = logging.getLogger("taskq.server")


class Stop:
    """Whether this process is told to end.

    Attributes:
        asked: set the first time.
        hurried: set the second time.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()
        self._words: SimpleQueue[int] = SimpleQueue()  # takes words in a signal's handler as well
        self._loop: asyncio.AbstractEventLoop | None = None
        self._binding = threading.Lock()
        self._works = False
        self._drain = 0.0
        self._end = _START_SECONDS

    def listen(self) -> None:
        """Hear signals from now on; what is forked or started hears them as any program does."""
        threading.Thread(target=self._see_to_it, name="taskq-stop", daemon=True).start()
        keep_from_forks()
        heed(self.tell)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the events on this loop from now on."""
        with self._binding:
            self._loop = loop

    def allow(self, *, drain: float, end: float) -> None:
        """Say how many seconds the end of this process may take, now that it works.

        Args:
            drain: until what runs has finished, unless the process is hurried.
            end: for the rest.
        """
        self._works, self._drain, self._end = True, drain, end

    def tell(self, times: int) -> None:
        """Hear from any thread that the process was told to end, for so many times now."""
        self._words.put(times)

    def _see_to_it(self) -> None:
        times = self._words.get()
        self._set(self.asked)
        if times < 2:
            times = self._hear_within(self._drain + self._end)
        if times > 1:
            self._set(self.hurried)
            time.sleep(self._end)
        threading.Thread(target=self._leave, name="taskq-end", daemon=True).start()
        time.sleep(_LAST_SECONDS)  # nobody may read what it writes
        os._exit(int(self._works))

    def _hear_within(self, seconds: float) -> int:
        """Return for how many times the process has been told, once that are two or time is up."""
        deadline = time.monotonic() + seconds
        times = 1
        with contextlib.suppress(Empty):
            while times < 2:
                times = self._words.get(timeout=max(0.0, deadline - time.monotonic()))
        return times

    def _set(self, event: asyncio.Event) -> None:
        with self._binding:
            if self._loop is None:
                event.set()
            elif not self._loop.is_closed():
                self._loop.call_soon_threadsafe(event.set)

    def _leave(self) -> None:
        _log.critical("something in this process does not end, although it was told to: it is left")
        leave(int(self._works))
