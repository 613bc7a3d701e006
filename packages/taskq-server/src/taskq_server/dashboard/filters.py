"""What templates do with values: numbers, times, durations and JSON as people read them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from taskq_server.dashboard.plain_text import visible

NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""

_SHORTENED = frozenset({"", ".", ".."})


def number(value: float | None) -> str:
    """Return a number with separators of thousands; a dash for None."""
    if value is None:
        return NOTHING
    return f"{value:,.1f}" if value % 1 and abs(value) < 100 else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Return a length of time in its two largest units; a dash for None.

    Args:
        seconds: at least 0.
    """
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def moment(value: datetime | None, style: str = "time") -> str:
    """Return a time as UTC, which the script shows in the reader's zone; a dash for None.

    Args:
        value: aware.
        style: `time`, or `age` for one that ticks.
    """
    if value is None:
        return NOTHING
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}" data-time="{}" title="{} UTC">{} UTC</time>').format(
        utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        style,
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
    )


def instant(text: str) -> str:
    """Return a time of the wire, as `moment` shows it."""
    return moment(datetime.fromisoformat(text))


def in_path(name: str) -> str:
    """Return a name as it stands in the path of an address.

    Browsers shorten `a/../b` to `b`, and some proxies `a//b` to `a/b`: another name, whose owner
    does not expect what the button does. Other slashes stay, because some proxies take no `%2F`.
    """
    is_shortened = not _SHORTENED.isdisjoint(name.split("/"))
    return quote(name, safe=":" if is_shortened else "/:")


def readable_json(value: Any) -> str:
    """Return JSON with a line for each member, as people read it."""
    return json.dumps(value, ensure_ascii=False, indent=2)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "number": number,
    "duration": duration,
    "moment": moment,
    "instant": instant,
    "in_path": in_path,
    "readable_json": readable_json,
    "visible": visible,
}
"""By the name that templates use."""
