"""The two sources of a schedule's times: cron in a time zone, and every so many seconds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from taskq_server.domain.cron import Cron
from taskq_server.domain.zones import DAY, SECOND, Piece, aware, pieces


@dataclass(frozen=True, slots=True)
class Every:
    """Times that are the same pause apart, whatever clocks show.

    Attributes:
        first: the first time, aware UTC.
        pause: a second or longer.
    """

    first: datetime
    pause: timedelta

    def next_after(self, after: datetime) -> datetime:
        """Return the first time after an instant.

        Raises:
            OverflowError: it would be after the year 9999.
        """
        return self.first + self._number_after(after) * self.pause

    def between(self, after: datetime, last: datetime, most: int) -> tuple[list[datetime], int]:
        """Return the newest times after an instant up to another, and how many there are."""
        low, high = self._number_after(after), self._number_after(last)
        newest = range(max(low, high - most), high)
        return [self.first + number * self.pause for number in newest], max(0, high - low)

    def _number_after(self, instant: datetime) -> int:
        return max(0, (instant - self.first) // self.pause + 1)


@dataclass(frozen=True, slots=True)
class ByClock:
    """Times that the clocks of a zone show.

    Attributes:
        cron: which ones.
        zone: whose clocks.
    """

    cron: Cron
    zone: ZoneInfo

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first time after an instant, or None when there is none in 50 years.

        Raises:
            OverflowError: it would be after the year 9999.
        """
        start = _second_after(after)
        while True:
            near = start + 2 * DAY
            for piece in pieces(self.zone, start, near):
                for found in self._times(piece):
                    return found
            day = self.cron.next_day((near - DAY).date())  # no clock is a day from UTC
            if day is None:
                return None
            start = max(near, datetime.combine(day, time(), UTC) - DAY)

    def between(self, after: datetime, last: datetime, most: int) -> tuple[list[datetime], int]:
        """Return the newest times after an instant up to another, and how many there are.

        Days are counted, and only those of the newest times are looked at time by time.
        """
        days = list(pieces(self.zone, _second_after(after), _second_after(last)))
        counts = [self._count(piece) for piece in days]
        newest: list[datetime] = []
        for piece, count in zip(reversed(days), reversed(counts), strict=True):
            if len(newest) >= most:
                break
            if count:
                newest = [*self._times(piece), *newest]
        return newest[max(0, len(newest) - most) :], sum(counts)

    def _times(self, piece: Piece) -> Iterator[datetime]:
        start = piece.start + piece.offset
        walls = self.cron.walls(_naive(start), _naive(piece.end + piece.offset))
        times = (aware(wall, piece.offset) for wall in walls)
        if self.cron.real:
            yield from times
            return
        skipped = piece.offset > piece.before and self.cron.count(
            _naive(piece.start + piece.before), _naive(start)
        )
        if skipped:
            yield piece.start
        for found in times:
            again = piece.again and found.astimezone(self.zone).fold
            if not again and not (skipped and found == piece.start):
                yield found

    def _count(self, piece: Piece) -> int:
        if self.cron.real or (piece.offset == piece.before and not piece.again):
            start, end = piece.start + piece.offset, piece.end + piece.offset
            return self.cron.count(_naive(start), _naive(end))
        return len(list(self._times(piece)))


def _second_after(instant: datetime) -> datetime:
    return instant.replace(microsecond=0) + SECOND


def _naive(wall: datetime) -> datetime:
    return wall.replace(tzinfo=None)
