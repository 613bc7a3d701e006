"""Stop signals of this process: the first asks it to end, the second not to wait for tasks.

The process ends even if an import, a hook or the event loop hangs, because a thread that needs none
of them enforces the time limits.
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
    """The stop state of this process.

    Attributes:
        asked: set by the first signal.
        hurried: set by the second signal.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()
        self._counts: SimpleQueue[int] = SimpleQueue()  # a signal handler may put into it as well
        self._loop: asyncio.AbstractEventLoop | None = None
        self._binding = threading.Lock()
        self._works = False
        self._drain = 0.0
        self._end = _START_SECONDS

    def listen(self) -> None:
        """Handle signals from now on; child processes handle them as any program does."""
        threading.Thread(target=self._enforce, name="taskq-stop", daemon=True).start()
        keep_from_forks()
        heed(self.tell)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the events on this loop from now on."""
        with self._binding:
            self._loop = loop

    def allow(self, *, drain: float, end: float) -> None:
        """Set the time limits for the end of this process, once start-up is over.

        Args:
            drain: seconds for running tasks to finish, unless the process is hurried.
            end: seconds for the rest.
        """
        self._works, self._drain, self._end = True, drain, end

    def tell(self, times: int) -> None:
        """Note that the process was told to end, `times` times by now; safe from any thread."""
        self._counts.put(times)

    def _enforce(self) -> None:
        times = self._counts.get()
        self._set(self.asked)
        if times < 2:
            times = self._wait_for_second(self._drain + self._end)
        if times > 1:
            self._set(self.hurried)
            time.sleep(self._end)
        threading.Thread(target=self._leave, name="taskq-end", daemon=True).start()
        time.sleep(_LAST_SECONDS)  # its log line may block, if stderr is a full pipe
        os._exit(int(self._works))

    def _wait_for_second(self, seconds: float) -> int:
        """Return the number of stop signals, once there are two or the time is up."""
        deadline = time.monotonic() + seconds
        times = 1
        with contextlib.suppress(Empty):
            while times < 2:
                times = self._counts.get(timeout=max(0.0, deadline - time.monotonic()))
        return times

    def _set(self, event: asyncio.Event) -> None:
        with self._binding:
            if self._loop is None:
                event.set()
            elif not self._loop.is_closed():
                self._loop.call_soon_threadsafe(event.set)

    def _leave(self) -> None:
        _log.critical("this process exits now, because a part of it hangs and does not end")
        leave(int(self._works))
