"""Schedules for a terminal, at any width."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from taskq_client.cli.lines import columns, hanging, join, pad, widest
from taskq_client.cli.schedule_plan import Step
from taskq_client.cli.words import can_print, duration, plain, when
from taskq_client.schedules import CatchUp, Schedule, SchedulePreview

_HEADER = ("schedule", "", "next", "times", "handler")
_STYLES = ("", "yellow", "", "", "dim")
_SIGNS = {"created": "+", "changed": "~", "unchanged": " ", "deleted": "-"}
_COLOURS = {"created": "green", "changed": "yellow", "unchanged": "dim", "deleted": "red"}


def schedule_lines(schedules: Sequence[Schedule], width: int, now: datetime) -> Text:
    """Write a line for each schedule, or a paragraph if lines do not fit; then what is wrong.

    Args:
        schedules: The schedules, in their order.
        width: The width of the terminal.
        now: The time from which times count.
    """
    if not schedules:
        return Text("no schedules", "dim")
    lines = columns([_HEADER, *(_cells(each, now) for each in schedules)], _STYLES)
    if widest(line.plain.rstrip() for line in lines) > width:
        lines = [line for each in schedules for line in _paragraph(each, width, now)]
    for each in schedules:
        said = plain(each.note) if each.paused else plain(each.last_error)
        if said:
            words = Text(f"{plain(each.name)}: ").append(said, "dim")
            lines += hanging(words, width, rest="  ")
    return join(lines)


def schedule_view(schedule: Schedule, width: int, now: datetime) -> Text:
    """Write all that is known of a schedule, a line for each fact."""
    title = Text(plain(schedule.name), "bold").append(f"  {plain(schedule.task.handler)}", "")
    title.append("  paused" if schedule.paused else "", "yellow")
    facts = [(name, value) for name, value in _facts(schedule, now) if value]
    labels = widest(name for name, _ in facts)
    lines = hanging(title, width, rest="  ")
    for name, value in facts:
        first = f"  {pad(name, labels)}  "
        lines += hanging(value, width, first=first, rest=" " * len(first))
    return join(lines)


def sentence(schedule: Schedule, what: str, now: datetime) -> str:
    """Write what a change has led to."""
    name, is_paused = f"Schedule {plain(schedule.name)}", schedule.paused
    if is_paused:
        why = f": {plain(schedule.note)}" if schedule.note else ""
        return f"{name} is paused{why}."
    if schedule.next_fire_at is None:
        return f"{name} {what}, and has no time any more."
    return f"{name} {what}; next at {when(schedule.next_fire_at, now)}."


def preview_lines(found: SchedulePreview, timezone: str | None, width: int, now: datetime) -> Text:
    """Write the rule as a sentence, and its times in their zone and in UTC.

    Args:
        found: The times.
        timezone: The zone, if one was named.
        width: The width of the terminal.
        now: The time from which times count.
    """
    zone = _zone(timezone)
    rows = [(_local(each, zone), when(each, now)) for each in found.times]
    lines = hanging(Text(plain(found.text), "bold"), width, rest="  ") if found.text else []
    times = columns(rows, ("", "")) if rows else [Text("never", "dim")]
    if widest(line.plain for line in times) > width:
        times = [line for row in rows for line in hanging("  ".join(row), width, rest="  ")]
    return join([*lines, *times])


def plan_lines(steps: Sequence[Step], width: int) -> Text:
    """Write what would happen to each schedule, and what would change in it."""
    lines: list[Text] = []
    for step in steps:
        if step.action != "unchanged":
            head = Text(f"{_SIGNS[step.action]} {plain(step.name)}", _COLOURS[step.action])
            lines += hanging(head.append(f"  {step.action}", "dim"), width, rest="    ")
        arrow = "→" if can_print("→") else "->"
        for name, (old, new) in step.changes.items():
            words = f"{name}: {_value(old)} {arrow} {_value(new)}"
            lines += hanging(words, width, first="    ", rest="      ")
    found = [step.action for step in steps]
    counts = ", ".join(f"{found.count(one)} {one}" for one in _SIGNS if one in found)
    return join([*lines, Text(counts or "no schedules", "bold")])


def _cells(schedule: Schedule, now: datetime) -> tuple[str, ...]:
    at = schedule.next_fire_at
    return (
        plain(schedule.name),
        "paused" if schedule.paused else "",
        "" if at is None or schedule.paused else _until(at, now),
        _times(schedule),
        plain(schedule.task.handler),
    )


def _paragraph(schedule: Schedule, width: int, now: datetime) -> list[Text]:
    name, paused, until, times, handler = _cells(schedule, now)
    title = Text(name, "bold").append(f"  {paused}" if paused else "", "yellow")
    words = ", ".join(filter(None, (times, until, handler)))
    return [
        *hanging(title, width, rest="  "),
        *hanging(words, width, first="  ", rest="  "),
    ]


def _facts(schedule: Schedule, now: datetime) -> Iterator[tuple[str, str]]:
    yield "times", _times(schedule)
    if schedule.next_fire_at is not None and not schedule.paused:
        yield "next", when(schedule.next_fire_at, now)
    yield "paused", when(schedule.paused_at, now) if schedule.paused_at else ""
    yield "note", plain(schedule.note)
    if schedule.last_fire_at is not None:
        yield "last", when(schedule.last_fire_at, now)
        yield "task", plain(schedule.last_task_id)
    counts = (schedule.fired, schedule.skipped, schedule.missed)
    yield "so far", "{:,} fired, {:,} skipped, {:,} missed".format(*counts)
    yield "error", plain(schedule.last_error)
    yield "overlap", plain(schedule.overlap)
    within = schedule.catch_up_seconds
    is_bounded = schedule.catch_up != CatchUp.NONE
    yield "catch-up", plain(schedule.catch_up) + (f", within {duration(within)}" * is_bounded)
    yield "jitter", f"up to {duration(schedule.jitter_seconds)}" if schedule.jitter_seconds else ""
    yield "starts", when(schedule.starts_at, now) if schedule.starts_at else ""
    yield "ends", when(schedule.ends_at, now) if schedule.ends_at else ""
    given = schedule.task.model_dump(mode="json", exclude_none=True, exclude={"handler", "payload"})
    yield "options", ", ".join(f"{name}: {_value(value)}" for name, value in given.items())
    payload = schedule.task.payload
    yield "payload", plain(json.dumps(payload, ensure_ascii=False)) if payload else ""
    yield "declared", "in code, which alone changes it" if schedule.declared else ""
    yield "key", plain(schedule.key_id)


def _times(schedule: Schedule) -> str:
    if schedule.every_seconds is not None:
        return f"every {duration(schedule.every_seconds)}"
    return f"{plain(schedule.cron)} {plain(schedule.timezone)}"


def _until(at: datetime, now: datetime) -> str:
    seconds = (at - now).total_seconds()
    return f"in {duration(seconds)}" if seconds >= 1 else "now"


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (OSError, ValueError):  # a machine without zones, where UTC has to do
        return None


def _local(at: datetime, zone: ZoneInfo | None) -> str:
    return "" if zone is None else f"{at.astimezone(zone):%a %Y-%m-%d %H:%M:%S %z}"


def _value(value: object) -> str:
    if isinstance(value, list):
        return ",".join(plain(each) for each in value)
    return "none" if value is None else plain(value)
