"""Log outages of a process's dependencies: when one begins, each half minute, and when it ends.

Many parts of a process notice the same outage many times, so they share one record.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache

_AGAIN_SECONDS = 30.0
SETTLED_SECONDS = 1.0
"""Seconds without a failure after which an outage is over."""

_log = logging.getLogger("taskq.server")


class Outage:
    """One possible outage, from the first failure to the first success that lasts.

    It may be used from any thread.

    Args:
        what: a sentence about the outage.
        settled: seconds without a failure before a success counts, because calls may fail and
            succeed by turns.
        clock: a monotonic clock, in seconds.

    Attributes:
        what: the sentence.
    """

    def __init__(
        self,
        what: str,
        settled: float = SETTLED_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what = what
        self._settled = settled
        self._clock = clock
        self._lock = threading.Lock()
        self._began: float | None = None
        self._failed_at = self._told_at = 0.0

    def fails(self, why: str) -> None:
        """Note a failure.

        Args:
            why: the reason for the log, without values of callers.
        """
        with self._lock:
            now = self._failed_at = self._clock()
            if self._began is None:
                self._began = self._told_at = now
                _log.warning("%s: %s", self.what, why)
            elif now - self._told_at >= _AGAIN_SECONDS:
                self._told_at = now
                _log.warning("%s, since %.0f s: %s", self.what, now - self._began, why)

    def works(self) -> None:
        """Note a success."""
        if self._began is not None:
            with self._lock:
                self._end()

    def _end(self) -> None:
        now = self._clock()
        if self._began is not None and now - self._failed_at >= self._settled:
            _log.warning("over after %.0f s: %s", now - self._began, self.what)
            self._began = None


@lru_cache(maxsize=1_000)
def outage(what: str, where: str, settled: float = SETTLED_SECONDS) -> Outage:
    """Return this process's only record of one possible outage.

    Args:
        what: a sentence about the outage.
        where: the address of the service, without a password.
        settled: see `Outage`.
    """
    return Outage(what, settled)
