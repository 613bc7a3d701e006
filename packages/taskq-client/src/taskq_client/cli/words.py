"""Texts, times and statuses as people read them."""

import json
import re
import sys
from datetime import UTC, datetime
from itertools import pairwise

from taskq_client.models import TaskStatus

STYLES: dict[str, str] = {
    TaskStatus.QUEUED: "cyan",
    TaskStatus.RUNNING: "blue",
    TaskStatus.RETRYING: "yellow",
    TaskStatus.SUCCEEDED: "green",
    TaskStatus.FAILED: "red",
    TaskStatus.CANCELLED: "dim",
    "timed_out": "red",
    "lost": "red",
    "released": "yellow",
}
"""The colours of statuses and of outcomes of attempts."""

_SIGNS: dict[str, tuple[str, str]] = {
    TaskStatus.QUEUED: ("○", "."),
    TaskStatus.RUNNING: ("▶", ">"),
    TaskStatus.RETRYING: ("↻", "~"),
    TaskStatus.SUCCEEDED: ("✓", "+"),
    TaskStatus.FAILED: ("✗", "x"),
    TaskStatus.CANCELLED: ("⊘", "-"),
    "timed_out": ("✗", "x"),
    "lost": ("✗", "x"),
    "released": ("○", "."),
}
_UNITS = ((365 * 86_400, "y"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def plain(value: object) -> str:
    """Write a value so that it neither breaks columns nor steers the terminal."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Tabs and newlines would break the columns, other control characters the terminal.
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def plain_lines(text: str) -> list[str]:
    """Split a text into lines, each of which is plain."""
    return [plain(line.rstrip()) for line in text.expandtabs(4).split("\n")]


def first_paragraph(text: str | None) -> str:
    """Write the first paragraph of a docstring as one line."""
    return plain(" ".join(re.split(r"\n\s*\n", (text or "").strip(), maxsplit=1)[0].split()))


def sign(status: str) -> str:
    """Choose the sign of a status or of an outcome; a new one has a question mark."""
    shown, simple = _SIGNS.get(status, ("?", "?"))
    return shown if can_print(shown) else simple


def ellipsis() -> str:
    """Choose what stands for the end of a text that is cut."""
    return "…" if can_print("…") else "..."


def can_print(text: str) -> bool:
    """Tell whether stdout has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def age(moment: datetime, now: datetime) -> str:
    """Write how long ago something was, in its largest unit, as in `13m`."""
    seconds = (now - moment).total_seconds()
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return "now"


def duration(seconds: float) -> str:
    """Write a duration in one or two units, as in `0.31s`, `2.5s`, `1m 30s` or `2d 3h`."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.2g}ms"
    if seconds < 0.995:
        return f"{seconds:.2g}s"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    left = round(seconds)
    for (size, unit), (smaller, smaller_unit) in pairwise(_UNITS):
        if left >= size:
            rest = left % size // smaller
            return f"{left // size}{unit}" + (f" {rest}{smaller_unit}" if rest else "")
    return f"{left}s"


def when(moment: datetime, now: datetime) -> str:
    """Write a time in UTC, and how far from now it is."""
    at = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    seconds = (moment - now).total_seconds()
    if seconds >= 1:
        return f"{at}, in {duration(seconds)}"
    return f"{at}, {ago(moment, now)}"


def ago(moment: datetime, now: datetime) -> str:
    """Write how long ago something was, as in `13m ago`."""
    passed = age(moment, now)
    return passed if passed == "now" else f"{passed} ago"
