"""What comes out of Redis and is not taskq's: dropped, counted, and told once a minute.

Whoever reaches Redis can write to a queue or to a channel. That must not fill the log.
"""

import logging
import math
import time
from collections.abc import Callable

_TELL_SECONDS = 60.0
_SHOWN_BYTES = 80
_log = logging.getLogger("taskq.server.broker")


class Unreadable(ValueError):
    """A message says nothing that taskq would say."""


class Garbage:
    """The doorbells and messages of one process that cannot be read.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at = -math.inf
        self._untold = 0

    def drop(self, what: str, data: bytes) -> None:
        """Count one, and say in the log how many there were, at most once a minute.

        Args:
            what: a doorbell, a message.
            data: its beginning is shown.
        """
        self._untold += 1
        now = self._clock()
        if now - self._told_at < _TELL_SECONDS:
            return
        _log.warning(
            "what comes from Redis and cannot be read is dropped: %d so far, the last is %s %r",
            self._untold, what, data[:_SHOWN_BYTES],
        )  # fmt: skip
        self._told_at, self._untold = now, 0
