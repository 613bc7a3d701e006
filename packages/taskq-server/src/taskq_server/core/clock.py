"""One clock for all processes: monotonic time plus bounds of its offset to the database's clock.

The database reads its clock at an unknown moment between the query and its answer. So the offset is
never known exactly, but lies between two bounds. Each answer narrows the bounds, and time widens
them, because the two clocks drift apart. A slow answer narrows them little, and does no harm.
"""

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from taskq_server.domain.errors import DatabaseUnavailable

_DRIFT = 200e-6
_ROUNDED_SECONDS = 1e-5
_log = logging.getLogger("taskq.server")


class _Bounds(NamedTuple):
    """Bounds of the database's time minus monotonic time at the moment `at`, in seconds."""

    low: float
    high: float
    at: float

    def aged(self, at: float) -> "_Bounds":
        more = _DRIFT * (at - self.at)
        return _Bounds(self.low - more, self.high + more, at)

    def middle(self) -> float:
        return (self.low + self.high) / 2


class Clock:
    """Return the database's time without a query for each call.

    A step of the machine's wall clock changes nothing; `sync` is called every few seconds. Before
    the first answer the time is unknown, and callers get `DatabaseUnavailable`.

    `earliest` is for decisions that start something or take something away: it is never ahead, so
    that nothing happens too early. Calling the clock is for times to store. These never go back:
    after the database's clock was set back, or a server with a slower clock took over, they stand
    still until that clock has caught up. A clock belongs to one event loop.

    Args:
        start: the database's time now, aware UTC; None if it is unknown.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self, start: datetime | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.monotonic = monotonic
        self._bounds: _Bounds | None = None
        self._shown = 0.0
        if start is not None:
            self.sync(start)

    @property
    def is_set(self) -> bool:
        """Whether the database's time is known."""
        return self._bounds is not None

    @property
    def age(self) -> float:
        """The seconds since the database has last told its time; infinite if it never has."""
        return math.inf if self._bounds is None else self.monotonic() - self._bounds.at

    def sync(
        self, answer: datetime, asked: float | None = None, answered: float | None = None
    ) -> None:
        """Narrow the bounds by an answer of the database.

        An answer outside the bounds shows that the clock was set, or that another server answers;
        then this answer replaces them.

        Args:
            answer: the database's time, aware UTC.
            asked: when the query was sent, or earlier, by `monotonic`; None if that is now.
            answered: when the answer came, by `monotonic`; None if that is now.
        """
        received = self.monotonic() if answered is None else answered
        asked = received if asked is None else asked
        said = answer.timestamp()
        # The database may have read its clock at once, and the clocks have drifted since.
        drifted = _DRIFT * (received - asked)
        told = _Bounds(
            said - received - _ROUNDED_SECONDS,
            said - asked + drifted + _ROUNDED_SECONDS,
            received,
        )
        known = self._bounds
        self._bounds = told if known is None else _narrowed(known.aged(received), told)

    def earliest(self) -> datetime:
        """Return the lower bound of the present time, aware UTC.

        Raises:
            DatabaseUnavailable: the database's time is not known yet.
        """
        now = self.monotonic()
        return _utc(now + self._known().aged(now).low)

    def __call__(self) -> datetime:
        """Return the most likely time, but never less than an earlier call.

        Returns:
            aware UTC.

        Raises:
            DatabaseUnavailable: the database's time is not known yet.
        """
        self._shown = max(self._shown, self.monotonic() + self._known().middle())
        return _utc(self._shown)

    def _known(self) -> _Bounds:
        if self._bounds is None:
            raise DatabaseUnavailable("the database has not told its time yet")
        return self._bounds


def _narrowed(known: _Bounds, told: _Bounds) -> _Bounds:
    low, high = max(known.low, told.low), min(known.high, told.high)
    if low <= high:
        return _Bounds(low, high, told.at)
    _log.warning(
        "the database's clock moved by %+.3f s: it was set, or another server answers",
        told.middle() - known.middle(),
    )
    return told


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
