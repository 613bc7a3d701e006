"""Whether a request is sent again, and after which pause."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import repeat
from math import inf

from taskq_client._inputs import count
from taskq_client.errors import (
    ConfigurationError,
    TaskqAPIError,
    TaskqConnectionError,
    TaskqError,
    TaskqTimeout,
)

# The statuses of proxies and CDNs for a server that gives no answer.
NO_ANSWER = frozenset({502, 504, *range(520, 531)})
RETRIED_STATUSES = NO_ANSWER | {408, 425, 429, 503}
LONGEST_RETRY_AFTER = 60.0


@dataclass(frozen=True)
class RetryPolicy:
    """Draw pauses between tries: exponential with full jitter.

    Attributes:
        max_retries: Tries after the first one, 0 or more.
        base_seconds: Upper bound of the first pause; the bound doubles with each pause.
        max_seconds: Upper bound of every pause.
        draw: Source of randomness, a number from 0 to 1.
    """

    max_retries: int = 2
    base_seconds: float = 0.5
    max_seconds: float = 8.0
    draw: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        count("max_retries", self.max_retries, ConfigurationError)

    def delays(self, *, endless: bool = False) -> Iterator[float]:
        """Iterate over the pauses in seconds, `max_retries` of them unless endless."""
        bound = self.base_seconds
        for _ in repeat(None) if endless else range(self.max_retries):
            yield bound * self.draw()
            bound = min(bound * 2, self.max_seconds)


def pause_after(
    error: TaskqError, delays: Iterator[float], *, time_left: float | None = None
) -> float | None:
    """Choose the pause before the next try, or None if the error is to be raised.

    Never earlier than a `Retry-After` asks; one beyond a minute is left to the caller.

    Args:
        error: The error of the try.
        delays: The pauses to choose from.
        time_left: Seconds left of a wait, in which any failure of a server may pass, and a
            `Retry-After` may have any length; None for a single request.
    """
    waiting = time_left is not None
    if not _passes(error, waiting=waiting) or (delay := next(delays, None)) is None:
        return None
    asked = error.retry_after if isinstance(error, TaskqAPIError) else None
    if asked is None:
        return delay
    return max(asked, delay) if asked <= max(LONGEST_RETRY_AFTER, time_left or 0) else None


def lost_in_transit(error: TaskqError) -> bool:
    """Tell whether the server may have served a request whose answer never came."""
    if isinstance(error, TaskqAPIError):
        return error.status in NO_ANSWER
    return isinstance(error, TaskqConnectionError | TaskqTimeout)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in seconds; a date counts from the `Date` of the answer."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value) if value[:1].isdigit() else _seconds_between(headers["date"], value)
    except (KeyError, TypeError, ValueError):
        return None
    return max(0.0, seconds) if seconds < inf else None


def _seconds_between(start: str, end: str) -> float:
    return (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds()


def _passes(error: TaskqError, *, waiting: bool) -> bool:
    if isinstance(error, TaskqAPIError):
        return error.status in RETRIED_STATUSES or (waiting and error.status >= 500)
    return isinstance(error, TaskqConnectionError | TaskqTimeout)
