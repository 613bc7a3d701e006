"""Unreadable messages from Redis are dropped, counted, and logged once a minute.

Any program that reaches Redis can write to a queue or a channel, and must not fill the log.
"""

import logging
import math
import time
from collections.abc import Callable

_TELL_SECONDS = 60.0
_SHOWN_BYTES = 80
_log = logging.getLogger("taskq.server.broker")


class Unreadable(ValueError):
    """A message has no form that taskq writes."""


class UnreadableMessages:
    """The unreadable doorbells and messages of one process.

    Args:
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at = -math.inf
        self._untold = 0

    def drop(self, what: str, data: bytes) -> None:
        """Count an unreadable message, and log the number of them at most once a minute.

        Args:
            what: its kind for the log: a doorbell, a message.
            data: its bytes, of which the log shows the first 80.
        """
        self._untold += 1
        now = self._clock()
        if now - self._told_at < _TELL_SECONDS:
            return
        _log.warning(
            "unreadable messages from Redis are dropped: %d so far, the last is %s %r",
            self._untold, what, data[:_SHOWN_BYTES],
        )  # fmt: skip
        self._told_at, self._untold = now, 0
