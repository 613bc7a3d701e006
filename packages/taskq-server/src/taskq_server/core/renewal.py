"""Decide when to replace connections whose server refuses to write."""

import math
import time
from collections.abc import Callable

_PAUSE_SECONDS = 1.0


class Renewal:
    """Decide whether new connections may succeed where the open ones are refused.

    A demoted server keeps its sessions and refuses their writes, while a new connection leads to
    its successor. So after the first refusal, all open connections are replaced. If the server
    refuses a new connection's write as well, there is no successor yet: for a second no connection
    is replaced, and each write fails in one round trip.

    Args:
        clock: a monotonic clock, in seconds.

    Attributes:
        at: when the connections were last replaced; older ones must not be used again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.at = -math.inf

    def leave(self) -> None:
        """Replace all open connections."""
        self.at = self.clock()

    def helps(self, asked: float) -> bool:
        """Return whether a new connection may succeed, and replace all older ones if it may.

        Args:
            asked: when the refused operation began.
        """
        if asked <= self.at:
            return True
        now = self.clock()
        if now - self.at < _PAUSE_SECONDS:
            return False
        self.at = now
        return True
