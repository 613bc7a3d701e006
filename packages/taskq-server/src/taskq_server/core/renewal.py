"""When to leave connections whose server refuses to write."""

import math
import time
from collections.abc import Callable

_PAUSE_SECONDS = 1.0


class Renewal:
    """Decide whether new connections may do better than those that are open.

    A server that was demoted keeps its sessions and refuses their writes, while whoever connects
    anew is led to its successor. So everything that was open is left when the first one is
    refused. If what is new refuses as well, there is no successor yet: then nobody connects anew
    for a second, and whoever asks is refused in one round trip.

    Args:
        clock: seconds that never go back.

    Attributes:
        at: when everything that was open was left; what is older is not to be used again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.at = -math.inf

    def leave(self) -> None:
        """Leave everything that is open."""
        self.at = self.clock()

    def helps(self, asked: float) -> bool:
        """Return whether a new connection may do better, and leave all older ones if it may.

        Args:
            asked: when whoever is refused began to ask.
        """
        if asked <= self.at:
            return True
        now = self.clock()
        if now - self.at < _PAUSE_SECONDS:
            return False
        self.at = now
        return True
