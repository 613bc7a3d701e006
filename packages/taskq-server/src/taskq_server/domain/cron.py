"""Cron expressions, as Debian's cron reads them: which minutes of which days they mean.

`cronsim` reads the text and tells the days. What it would make of time zones is not used: it goes
wrong where clocks are moved by half an hour, or at midnight (decision 0065).
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError

from taskq_server.domain.limits import CRON_LENGTH

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}

_FIELDS = {
    "minute": (59, "0 to 59"),
    "hour": (23, "0 to 23"),
    "day-of-month": (31, "1 to 31, L (the last day) or LW (the last weekday)"),
    "month": (12, "1 to 12 or JAN to DEC"),
    "day-of-week": (7, "0 to 7 or SUN to SAT (0 and 7 are Sunday), 5L (the last Friday) or FRI#2"),
}
_CHARACTERS = re.compile(r"[0-9A-Za-z*/,#\- \t]+")
_STEP = re.compile(r"/0*([0-9]+)")
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_LEAP = datetime(2000, 1, 1, tzinfo=UTC)
_NEVER = "there is no such day in any year"
_YEARS = 50
"""No expression pauses longer: the 29th of February on one day of the week, around 2100: 40."""


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression that can be fulfilled.

    Attributes:
        expression: five fields.
        minutes: of a day, in order.
        real: whether minute or hour begins with `*`, and so follows real time.
        rules: knows the days and months.
    """

    expression: str
    minutes: tuple[int, ...]
    real: bool
    rules: CronSim

    def walls(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the naive local times from `start` to `end` (not included), in order."""
        for midnight, low, high in self._days(start, end):
            for minute in self.minutes[low:high]:
                yield midnight + minute * _MINUTE

    def count(self, start: datetime, end: datetime) -> int:
        """Return how many times `walls` would yield."""
        return sum(high - low for _, low, high in self._days(start, end))

    def next_day(self, day: date) -> date | None:
        """Return the first day that fits, from `day` on, or None if none of 50 years does."""
        last = day.year + _YEARS
        while day.year <= last:
            if day.month not in self.rules.months:
                day = (day.replace(day=1) + 31 * _DAY).replace(day=1)
            elif not self.rules.match_day(day):
                day += _DAY
            else:
                return day
        return None

    def _days(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, int, int]]:
        midnight = datetime.combine(start, time())
        while midnight < end:
            if midnight.month in self.rules.months and self.rules.match_day(midnight):
                low = bisect_left(self.minutes, (start - midnight) / _MINUTE)
                yield midnight, low, bisect_left(self.minutes, (end - midnight) / _MINUTE)
            midnight += _DAY


@lru_cache(maxsize=512)
def parse(text: str) -> Cron:
    """Return what an expression, or one of the five aliases, means.

    As in Debian's cron a day has to fit in both fields of days if one of them begins with `*`, and
    otherwise in one of them.

    Raises:
        ValueError: the sentence says what is wrong, and can be shown to whoever wrote the text.
    """
    expression = ALIASES.get(text, text)
    fields = _fields(expression)
    try:
        rules = CronSim(expression, _LEAP)
    except CronSimError as error:
        raise ValueError(_refusal(fields, str(error).removeprefix("Bad "))) from None
    minutes = sorted(60 * hour + minute for hour in rules.hours for minute in rules.minutes)
    real = fields[0].startswith("*") or fields[1].startswith("*")
    cron = Cron(" ".join(fields), tuple(minutes), real, rules)
    if cron.next_day(_LEAP.date()) is None:
        raise ValueError(_NEVER)
    return cron


def _fields(expression: str) -> list[str]:
    if len(expression) > CRON_LENGTH:
        raise ValueError(f"must have at most {CRON_LENGTH} characters")
    if expression.startswith("@"):
        raise ValueError(f"of the names that begin with @ there are only {', '.join(ALIASES)}")
    if not _CHARACTERS.fullmatch(expression):
        raise ValueError("may have letters, digits, spaces and the characters * / , # -")
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"must have the five fields {', '.join(_FIELDS)}, not {len(fields)}: there are no "
            "seconds and no years"
        )
    for field, (name, (most, _)) in zip(fields, _FIELDS.items(), strict=True):
        for step in _STEP.findall(field):
            if len(step) > 2 or int(step) > most:
                raise ValueError(
                    f"a step of the {name} is at most {most}, because counting begins anew with "
                    "each larger unit; every_seconds can be longer"
                )
    return fields


def _refusal(fields: list[str], name: str) -> str:
    if name not in _FIELDS:
        return "is not a cron expression"
    if name == "day-of-month" and _is_read(" ".join([*fields[:3], "*", fields[4]])):
        return _NEVER
    return (
        f"the {name} must be of {_FIELDS[name][1]}, in lists, in ranges from low to high and with "
        "steps above 0"
    )


def _is_read(expression: str) -> bool:
    try:
        CronSim(expression, _LEAP)
    except CronSimError:
        return False
    return True
