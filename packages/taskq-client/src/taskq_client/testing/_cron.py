"""When the schedules of the fake fire.

Cron is read by `cronsim`, which comes with `taskq-client[testing]`. It reads the zones in which
clocks are moved by whole hours as the server does.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from taskq_client.testing._problems import Problem, field

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
_LEAP = datetime(2000, 1, 1, tzinfo=UTC)
_NEVER = "there is no such day in any year"
_LONGEST_CRON = 128
_UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}

Errors = list[dict[str, str]]


def require(fields: Mapping[str, Any], within: str = "") -> None:
    """Raise the problem of the server if no schedule can have these times.

    Args:
        fields: The schedule on the wire.
        within: What the pointers of errors begin with.
    """
    found = _faults(fields["cron"], fields["every_seconds"], fields["timezone"])
    starts, ends = _moment(fields["starts_at"]), _moment(fields["ends_at"])
    if starts is not None and ends is not None and ends < starts:
        found.append(_invalid("/ends_at", "it ends before it starts"))
    if found:
        errors = [{**one, "pointer": f"{within}{one['pointer']}"} for one in found]
        is_zone = all(one["code"] == "unknown-timezone" for one in errors)
        detail = f"{errors[0]['pointer']}: {errors[0]['detail']}"
        raise Problem("unknown-timezone" if is_zone else "invalid-schedule", detail, errors)


def _faults(cron: str | None, every: float | None, timezone: str) -> Errors:
    found: Errors = []
    if cron is None and every is None:
        found.append(_invalid("/cron", "either cron or every_seconds is needed"))
    elif cron is not None and every is not None:
        found.append(_invalid("/every_seconds", "cron and every_seconds exclude each other"))
    if cron is not None:
        try:
            _rules(cron)
        except ValueError as error:
            found.append(_invalid("/cron", str(error)))
    if timezone not in _zones():
        what = (
            "must be the name of an IANA time zone as it is written there, such as Europe/Berlin "
            "or UTC"
        )
        found.append(field("/timezone", "unknown-timezone", what))
    return found


def next_after(fields: Mapping[str, Any], after: datetime) -> datetime | None:
    """Return the first time of a schedule after another time; None if there is none.

    Args:
        fields: The schedule on the wire, without faults.
        after: The other time, aware UTC.
    """
    starts, ends = _moment(fields["starts_at"]), _moment(fields["ends_at"])
    if starts is not None and starts > after:
        after = starts - datetime.resolution
    if fields["every_seconds"] is not None:
        pause = timedelta(seconds=fields["every_seconds"])
        first = starts or datetime.fromisoformat(fields["created_at"]) + pause
        found = first + max(0, (after - first) // pause + 1) * pause
    else:
        zone = ZoneInfo(fields["timezone"])
        times: Iterator[datetime] = _cronsim().CronSim(
            ALIASES.get(fields["cron"], fields["cron"]), after.astimezone(zone)
        )
        found = next(times).astimezone(UTC)
    return None if ends is not None and found > ends else found


def text(fields: Mapping[str, Any]) -> str:
    """Return the times of a schedule in English."""
    if fields["cron"] is not None:
        said: str = _rules(fields["cron"]).explain()
        return said
    pause = timedelta(seconds=fields["every_seconds"])
    for unit, seconds in _UNITS.items():
        number, rest = divmod(pause, timedelta(seconds=seconds))
        if not rest:
            return f"Every {unit}" if number == 1 else f"Every {number:,} {unit}s"
    return f"Every {pause.total_seconds():,.6f}".rstrip("0") + " seconds"


def _rules(cron: str) -> Any:
    """Return the rules of an expression; a ValueError has the words of the server."""
    expression = ALIASES.get(cron, cron)
    if len(expression) > _LONGEST_CRON:
        raise ValueError(f"must have at most {_LONGEST_CRON} characters")
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
    for value, (name, (most, _)) in zip(fields, _FIELDS.items(), strict=True):
        for step in _STEP.findall(value):
            if len(step) > 2 or int(step) > most:
                raise ValueError(
                    f"a step of the {name} is at most {most}, because counting begins anew with "
                    "each larger unit; every_seconds can be longer"
                )
    try:
        rules = _cronsim().CronSim(expression, _LEAP)
    except _cronsim().CronSimError as error:
        raise ValueError(_refusal(fields, str(error).removeprefix("Bad "))) from None
    try:
        next(rules)
    except StopIteration:
        raise ValueError(_NEVER) from None
    return rules


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
        _cronsim().CronSim(expression, _LEAP)
    except _cronsim().CronSimError:
        return False
    return True


def _cronsim() -> Any:
    try:
        return import_module("cronsim")
    except ImportError:
        raise ImportError(
            "the fake reads cron and time zones with cronsim and tzdata: install "
            "'taskq-client[testing]', or use every_seconds"
        ) from None


@cache
def _zones() -> frozenset[str]:
    try:
        names = files("tzdata").joinpath("zones").read_text("ascii").split()
    except ImportError:
        return frozenset({"UTC"})
    return frozenset(names) - {"Factory"}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _invalid(pointer: str, detail: str) -> dict[str, str]:
    return field(pointer, "invalid-schedule", detail)
