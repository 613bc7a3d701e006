"""The cases of the page about time zones are what happens."""

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from taskq_server.domain import zones
from taskq_server.domain.times import Timing, upcoming

PAGE = Path(__file__).parents[4] / "docs" / "time-zones.md"
ROW = re.compile(r"\| `(.+)` \| `(.+)` \| ([0-9-]{10}) \| (.+) \|")
CASES = ROW.findall(PAGE.read_text(encoding="utf-8"))
DAY = timedelta(days=1)


def test_the_page_has_cases() -> None:
    assert len(CASES) >= 20


@pytest.mark.parametrize(("cron", "timezone", "day", "shown"), CASES)
def test_a_case(cron: str, timezone: str, day: str, shown: str) -> None:
    midnight = datetime.combine(date.fromisoformat(day), time(), UTC)
    timing = Timing(cron, None, timezone, midnight - DAY, midnight + 2 * DAY, midnight)
    found = [
        each.astimezone(ZoneInfo(timezone)) for each in upcoming(timing, midnight - DAY, 1_000)
    ]
    times = [each.isoformat(timespec="minutes")[11:] for each in found if str(each.date()) == day]
    assert (", ".join(times) or "never") == shown


def test_clocks_are_moved_at_night() -> None:
    moved = set[time]()
    for name in zones.names():
        for piece in zones.pieces(
            ZoneInfo(name), datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
        ):
            if piece.offset != piece.before:
                moved |= {(piece.start + each).time() for each in (piece.before, piece.offset)}
    assert "Between 04:00 and 21:00 no zone moves" in PAGE.read_text(encoding="utf-8")
    assert all(each <= time(4) or each >= time(21) for each in moved)
