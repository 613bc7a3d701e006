"""One clock for all processes: monotonic time plus bounds of its offset to the database's clock.

The database tells its time, but not when it looked: some moment between the question and the
hearing. So the offset is never known, only enclosed. Each answer narrows the bounds, and their age
widens them, because two clocks drift apart. A question that waited says little, and does no harm.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from taskq_server.domain.errors import DatabaseUnavailable

_DRIFT = 200e-6
_ROUNDED_SECONDS = 1e-5
_log = logging.getLogger("taskq.server")


class _Bounds(NamedTuple):
    """The database's time less monotonic time, seconds: what it was at least and at most, `at`."""

    low: float
    high: float
    at: float

    def aged(self, at: float) -> "_Bounds":
        more = _DRIFT * (at - self.at)
        return _Bounds(self.low - more, self.high + more, at)

    def middle(self) -> float:
        return (self.low + self.high) / 2


class Clock:
    """Tell the database's time without asking the database each time.

    A step of the machine's wall clock changes nothing; `sync` is called every few seconds. Until
    the first answer there is no time: whoever needs it is told that the database is away.

    `earliest` is for whatever takes something away or starts something: it is never ahead, so that
    nothing happens too early. Calling the clock is for times that are stored. These never go back,
    so where the database's clock is set back, or one that is behind takes over, they stand still
    until it has caught up. It belongs to one event loop.

    Args:
        start: the database's time now, aware UTC, where it is known.
        monotonic: seconds that never go back.
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
        """Whether the database has told its time."""
        return self._bounds is not None

    def sync(self, answer: datetime, asked: float | None = None) -> None:
        """Learn from what the database said.

        An answer that contradicts all before shows that the clock was set, or that it is another
        server's: then it counts alone.

        Args:
            answer: the database's time, aware UTC.
            asked: when it was asked, or earlier, by `monotonic`; None if that was just now.
        """
        heard = self.monotonic()
        asked = heard if asked is None else asked
        said = answer.timestamp()
        # It may have answered at once, and have drifted for all the time since.
        drifted = _DRIFT * (heard - asked)
        told = _Bounds(
            said - heard - _ROUNDED_SECONDS, said - asked + drifted + _ROUNDED_SECONDS, heard
        )
        self._bounds = told if self._bounds is None else _narrowed(self._bounds.aged(heard), told)

    def earliest(self) -> datetime:
        """Return the earliest time that it may be, aware UTC.

        Raises:
            DatabaseUnavailable: the database has not told its time yet.
        """
        now = self.monotonic()
        return _utc(now + self._known().aged(now).low)

    def __call__(self) -> datetime:
        """Return the most likely time, or the last one that was returned, if that is later.

        Returns:
            aware UTC.

        Raises:
            DatabaseUnavailable: the database has not told its time yet.
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
