"""Time zones: the names of IANA, and the pieces of time in which a zone's offset does not change.

Which zones there are says the distribution `tzdata`. Their rules come from the system if it has
them, since it is updated more often, and else from `tzdata`; a process reads each zone once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of at most a day in which the offset of a zone stays the same.

    Attributes:
        start: its first instant, aware UTC.
        end: the first instant after it.
        offset: what local clocks are ahead of UTC.
        before: the offset until `start`; it is another one where clocks are moved at `start`.
        again: whether some or all of what local clocks show they have shown before.
    """

    start: datetime
    end: datetime
    offset: timedelta
    before: timedelta
    again: bool


@cache
def names() -> frozenset[str]:
    """Return the name of every zone, spelled as it has to be; `Factory` means that none is set."""
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split()) - {"Factory"}


@cache
def find(name: str) -> ZoneInfo:
    """Return a zone.

    Args:
        name: one of `names()`; others are never looked for, so a name cannot be a path.

    Raises:
        ValueError: there is no zone of this name.
    """
    if name not in names():
        raise ValueError(f"there is no time zone {name[:64]!r}")
    return ZoneInfo(name)


def pieces(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Piece]:
    """Yield the time from `start` to `end` (not included) in pieces.

    Args:
        zone: whose clocks.
        start: aware UTC, in whole seconds.
        end: aware UTC, in whole seconds.
    """
    before = _offset(zone, start - SECOND)
    while start < end:
        local = start.astimezone(zone)
        offset = local.utcoffset() or timedelta()
        until = min(start + DAY, end)
        if _offset(zone, until - SECOND) != offset:
            until = _change(zone, start, until - SECOND)
        yield Piece(start, until, offset, before, local.fold == 1)
        start, before = until, offset


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return when the offset changes between two instants; no zone changes it twice in a day."""
    offset = _offset(zone, low)
    while high - low > SECOND:
        middle = low + timedelta(seconds=(high - low) // SECOND // 2)
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def aware(wall: datetime, offset: timedelta) -> datetime:
    """Return the instant at which clocks with this offset show a naive time."""
    return (wall - offset).replace(tzinfo=UTC)
