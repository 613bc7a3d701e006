"""Times of schedules against a reference that walks through all minutes, one by one.

The reference says the rule and nothing else. A fixed time fires in the minute in which clocks first
show it or a later time; an expression whose minute or hour begins with `*` fires in each minute in
which clocks show one of its times.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskq_server.domain import zones
from taskq_server.domain.times import Timing, check, next_after, passed

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CREATED = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime(1973, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 27, 3, 0, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Field:
    text: str
    values: frozenset[int] = dataclasses.field(repr=False)

    @property
    def starred(self) -> bool:
        return self.text.startswith("*")


@dataclass(frozen=True)
class Expression:
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    @property
    def text(self) -> str:
        fields = (self.minute, self.hour, self.day, self.month, self.weekday)
        return " ".join(each.text for each in fields)

    def shows(self, wall: datetime) -> bool:
        if wall.minute not in self.minute.values or wall.hour not in self.hour.values:
            return False
        if wall.month not in self.month.values:
            return False
        by_day = wall.day in self.day.values
        by_weekday = not self.weekday.values.isdisjoint({wall.isoweekday(), wall.isoweekday() % 7})
        if self.day.starred or self.weekday.starred:
            return by_day and by_weekday
        return by_day or by_weekday


def fields(low: int, high: int, *, usual: tuple[str, ...] = ("*",)) -> st.SearchStrategy[Field]:
    """Draw one field: one of the usual texts, or any."""
    one = st.integers(low, high)
    texts = st.one_of(
        st.sampled_from(usual),
        one.map(str),
        st.integers(2, high // 2).map(lambda step: f"*/{step}"),
        st.tuples(one, one).map(lambda ends: f"{min(ends)}-{max(ends)}"),
        st.lists(one, min_size=2, max_size=5, unique=True).map(
            lambda some: ",".join(map(str, some))
        ),
    )
    return texts.map(lambda text: Field(text, frozenset(values(text, low, high))))


def values(text: str, low: int, high: int) -> Iterable[int]:
    every = range(low, high + 1)
    if text.startswith("*"):
        return every[:: int(text[2:] or 1)]
    if "-" in text:
        first, last = map(int, text.split("-"))
        return range(first, last + 1)
    return map(int, text.split(","))


DAYS = (fields(1, 31), fields(1, 12), fields(0, 7))
EXPRESSIONS = st.builds(
    Expression, fields(0, 59), fields(0, 23, usual=("*", "0", "1", "2", "3", "23")), *DAYS
).filter(lambda expression: not check(expression.text, None, "UTC"))


@cache
def changes(name: str) -> list[datetime]:
    """Return the days of a zone on which its clocks are moved."""
    zone = ZoneInfo(name)
    days = [FIRST + number * DAY for number in range((LAST - FIRST).days)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    return [
        day
        for day, one, next_one in zip(days, offsets, offsets[1:], strict=False)
        if one != next_one
    ]


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """Draw a zone and a time in it, mostly near one at which its clocks are moved."""
    name = draw(st.sampled_from(sorted(zones.names())))
    near = draw(st.sampled_from(changes(name) or [datetime(2026, 3, 1, tzinfo=UTC)]))
    return name, near + draw(st.integers(-1_440, 2 * 1_440)) * MINUTE


def reference(expression: Expression, name: str, after: datetime, last: datetime) -> list[datetime]:
    zone = ZoneInfo(name)
    real = expression.minute.starred or expression.hour.starred
    start = after.replace(second=0, microsecond=0) - 2 * DAY
    highest = start.astimezone(zone).replace(tzinfo=None)
    found = []
    for number in range(1, (last - start) // MINUTE + 1):
        instant = start + number * MINUTE
        wall = instant.astimezone(zone).replace(tzinfo=None)
        if real:
            fires = expression.shows(wall)
        else:
            reached = [highest + more * MINUTE for more in range(1, (wall - highest) // MINUTE + 1)]
            fires = any(map(expression.shows, reached))
            highest = max(highest, wall)
        if fires and after < instant <= last:
            found.append(instant)
    return found


def timing(cron: str, name: str) -> Timing:
    return Timing(cron, None, name, None, None, CREATED)


def following(schedule: Timing, after: datetime, last: datetime) -> list[datetime]:
    found = []
    while (following := next_after(schedule, after)) is not None and following <= last:
        found.append(after := following)
    return found


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, moments(), st.integers(-59_999_999, 0))
def test_times_are_those_of_the_reference(
    expression: Expression, moment: tuple[str, datetime], microseconds: int
) -> None:
    name, start = moment
    after = start + timedelta(microseconds=microseconds)
    last = start + 2 * DAY
    wanted = reference(expression, name, after, last)
    schedule = timing(expression.text, name)
    assert following(schedule, after, last) == wanted
    if wanted:
        everything = passed(schedule, wanted[0], last, wanted[0], 10_000)
        assert (everything.times, everything.older) == (wanted, 0)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, moments(), st.integers(0, 20), st.integers(0, 40), st.integers(0, 40 * 24))
def test_what_passed_is_what_came_next(
    expression: Expression, moment: tuple[str, datetime], most: int, days: int, since_hours: int
) -> None:
    name, start = moment
    schedule = timing(expression.text, name)
    first = next_after(schedule, start)
    now = start + days * DAY
    if first is None or first > now:
        return
    since = start + timedelta(hours=since_hours)
    steps = [first, *following(schedule, first, now)]
    assert steps == sorted(set(steps))
    found = passed(schedule, first, now, since, most)
    assert found.times == [each for each in steps[max(0, len(steps) - most) :] if each >= since]
    assert found.older == len(steps) - len(found.times)
    assert found.next == next_after(schedule, steps[-1])


@settings(deadline=None)
@given(
    st.floats(1, 100_000),
    st.integers(0, 10**15).map(lambda microseconds: CREATED + timedelta(0, 0, microseconds)),
    st.integers(0, 200_000),
    st.integers(0, 50),
)
def test_pauses_are_kept_to_the_microsecond(
    seconds: float, created: datetime, later: int, most: int
) -> None:
    schedule = Timing(None, seconds, "UTC", None, None, created)
    pause = timedelta(seconds=seconds)
    now = created + timedelta(seconds=later)
    steps = [created + number * pause for number in range(1, (now - created) // pause + 1)]
    assert next_after(schedule, now) == created + (len(steps) + 1) * pause
    if steps:
        found = passed(schedule, steps[0], now, created, most)
        assert found.times == steps[max(0, len(steps) - most) :]
        assert found.older == len(steps) - len(found.times)


@settings(max_examples=300, deadline=None)
@given(fields(28, 31), fields(1, 12, usual=("2", "4,6")), fields(0, 7))
def test_only_what_never_comes_is_refused(day: Field, month: Field, weekday: Field) -> None:
    midnight = Field("0", frozenset([0]))
    expression = Expression(midnight, midnight, day, month, weekday)
    days = (FIRST + number * DAY for number in range(400 * 366))
    comes = any(map(expression.shows, days))
    assert comes == (not check(expression.text, None, "UTC"))


def down(schedule: Timing, years: int, most: int = 1_000) -> Callable[[], tuple[int, int]]:
    since = NOW - timedelta(days=365 * years)
    first = next_after(schedule, since)
    assert first is not None

    def missed() -> tuple[int, int]:
        found = passed(schedule, first, NOW, since, most)
        return len(found.times), found.older

    return missed


@pytest.mark.parametrize(
    ("schedule", "years", "missed"),
    [
        (timing("* * * * *", "Europe/Berlin"), 3, (1_000, 3 * 365 * 1_440 - 1_000)),
        (Timing(None, 1, "UTC", None, None, CREATED), 9, (1_000, 9 * 365 * 86_400 - 1_000)),
        (timing("31 2 29 2 *", "Europe/Berlin"), 9, (2, 0)),
        (timing("0 6 * * *", "Europe/Berlin"), 9, (1_000, 9 * 365 - 1_000)),
        (timing("* * 1 1 *", "Pacific/Apia"), 9, (1_000, 9 * 1_440 - 1_000)),
    ],
)
def test_years_down_cost_little(schedule: Timing, years: int, missed: tuple[int, int]) -> None:
    work = down(schedule, years)
    before = process_time()
    assert work() == missed
    assert process_time() - before < 2


def test_of_a_longer_time_only_ten_years_are_counted() -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    found = passed(timing("@daily", "UTC"), first, NOW, first, 5)
    assert (len(found.times), found.older) == (5, 3_660 + 1 - 5)


@pytest.mark.parametrize("cron", ["31 2 29 2 *", "0 0 * 2 1#5", "0 0 29 2 */6", "* * * * *"])
@pytest.mark.parametrize("name", ["UTC", "Australia/Lord_Howe"])
def test_the_next_time_costs_little(cron: str, name: str) -> None:
    schedule = timing(cron, name)
    before = process_time()
    for years in range(100):
        assert next_after(schedule, NOW + years * 365 * DAY) is not None
    assert process_time() - before < 2


@pytest.mark.parametrize("cron", ["* * * * *", "@yearly", "31 2 29 2 *"])
def test_time_ends_with_the_year_9999(cron: str) -> None:
    assert next_after(timing(cron, "UTC"), datetime.max.replace(tzinfo=UTC)) is None
    pause = Timing(None, 60, "UTC", None, None, CREATED)
    assert next_after(pause, datetime.max.replace(tzinfo=UTC)) is None
