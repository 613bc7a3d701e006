"""Rate limits: `600/minute` are 600 requests in any minute, or nearly (a sliding window counter).

The counter has two numbers for each key: the requests of the current window, and those of the one
before, which count less and less. So no request is remembered on its own.
"""

import re
from dataclasses import dataclass
from math import floor
from typing import Self

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
PATTERN = r"^([1-9][0-9]{0,8})/(second|minute|hour|day)$"
"""What a limit looks like, as a regular expression."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The most requests of a window.

    Attributes:
        requests: 1 to 999,999,999.
        seconds: the length of the window: a second, a minute, an hour or a day.
    """

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the limit that a text such as `600/minute` says.

        Raises:
            ValueError: the text says none; the sentence can be shown to whoever wrote it.
        """
        found = re.fullmatch(PATTERN, text)
        if found is None or text.endswith("\n"):
            raise ValueError(
                "must be a number of at most nine digits, a slash, and second, minute, hour or "
                "day, such as 600/minute"
            )
        return cls(int(found[1]), _SECONDS[found[2]])

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.requests}/{unit}"


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted of one key.

    Attributes:
        previous: requests of the window before.
        current: requests of the current window.
        left: seconds until the current window ends, and the one before counts nothing.
    """

    previous: int
    current: int
    left: float


def remaining(limit: RateLimit, window: Window) -> int:
    """Return how many requests are still allowed now."""
    return max(0, limit.requests - _counted(limit, window))


def wait_seconds(limit: RateLimit, window: Window, requests: int) -> int:
    """Return after how many whole seconds so many requests are allowed, if nobody sends any.

    Args:
        limit: of the key.
        window: what was counted.
        requests: at most as many as the limit allows in a window.
    """
    room = limit.requests - requests - window.current
    if room >= 0:
        until = _until(window.previous, room, limit.seconds) - (limit.seconds - window.left)
    else:
        until = window.left + _until(window.current, limit.requests - requests, limit.seconds)
    return max(0, floor(until)) + 1


def _counted(limit: RateLimit, window: Window) -> int:
    return int(window.previous * window.left / limit.seconds) + window.current


def _until(counted: int, allowed: int, seconds: int) -> float:
    """Return when a window that has ended counts as no more than `allowed`, from its end on."""
    if counted <= allowed:
        return 0.0
    return seconds * (counted - allowed - 1) / counted
