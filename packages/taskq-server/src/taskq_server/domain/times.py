"""When schedules fire: cron in a time zone, or every so many seconds, within a start and an end.

Where local clocks are moved, a fixed time that they skip fires when they have been moved, and one
that they show twice fires the first time. A cron expression whose minute or hour begins with `*`
follows real time: it fires whenever clocks show one of its times, so twice or not at all.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from taskq_server.domain import zones
from taskq_server.domain.clocks import ByClock, Every
from taskq_server.domain.cron import parse
from taskq_server.domain.errors import FieldError, InvalidSchedule, UnknownTimezone
from taskq_server.domain.limits import EVERY_SECONDS

COUNTED = timedelta(days=3_660)
"""How far back from now missed times are counted: ten years."""

_UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


@dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule fires; `check` finds nothing in it.

    Attributes:
        cron: an expression or alias, if it fires by the clock.
        every_seconds: otherwise, the pause; counted from `starts_at`, which is the first time, or
            from `created_at`, which is none.
        timezone: the zone of the clock.
        starts_at: aware UTC; nothing fires before it.
        ends_at: aware UTC; nothing fires after it.
        created_at: aware UTC.
    """

    cron: str | None
    every_seconds: float | None
    timezone: str
    starts_at: datetime | None
    ends_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Passed:
    """The times that have passed.

    Attributes:
        times: the newest, in order.
        older: how many others there were; those of more than ten years ago are not counted.
        next: the next time, or None when there is none any more.
    """

    times: list[datetime]
    older: int
    next: datetime | None


def check(cron: str | None, every_seconds: float | None, timezone: str) -> list[FieldError]:
    """Return what is wrong with a schedule's times; nothing: they can be used."""
    errors: list[FieldError] = []
    if cron is None and every_seconds is None:
        errors.append(_invalid("/cron", "either cron or every_seconds is needed"))
    elif cron is not None and every_seconds is not None:
        errors.append(_invalid("/every_seconds", "cron and every_seconds exclude each other"))
    if cron is not None:
        try:
            parse(cron)
        except ValueError as error:
            errors.append(_invalid("/cron", str(error)))
    if every_seconds is not None and not 1 <= every_seconds <= EVERY_SECONDS:
        errors.append(_invalid("/every_seconds", f"must be 1 to {EVERY_SECONDS} (366 days)"))
    if timezone not in zones.names():
        errors.append(
            FieldError(
                "/timezone",
                "unknown-timezone",
                "must be the name of an IANA time zone as it is written there, such as "
                "Europe/Berlin or UTC",
            )
        )
    return errors


def require(
    cron: str | None,
    every_seconds: float | None,
    timezone: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    *,
    within: str = "",
) -> None:
    """Check that a schedule can have these times.

    Args:
        cron: an expression or alias; or
        every_seconds: a pause.
        timezone: the zone of `cron`.
        starts_at: aware.
        ends_at: aware.
        within: what the pointers of errors begin with, such as `/query`.

    Raises:
        UnknownTimezone: there is no such zone, and nothing else is wrong.
        InvalidSchedule: the times cannot be used.
    """
    errors = check(cron, every_seconds, timezone)
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        errors.append(_invalid("/ends_at", "it ends before it starts"))
    if errors:
        errors = [replace(each, pointer=within + each.pointer) for each in errors]
        is_zone = all(each.code == "unknown-timezone" for each in errors)
        kind = UnknownTimezone if is_zone else InvalidSchedule
        raise kind(f"{errors[0].pointer}: {errors[0].detail}", errors)


def next_after(timing: Timing, after: datetime) -> datetime | None:
    """Return the first time after an instant, in aware UTC, or None when there is none any more.

    Args:
        timing: of the schedule.
        after: aware; the time returned is later.

    Raises:
        ValueError: the timing cannot be used, for instance because this version of the time zones
            has lost the zone; the sentence can be shown.
    """
    after = after.astimezone(UTC)
    if timing.starts_at is not None and timing.starts_at > after:
        after = timing.starts_at.astimezone(UTC) - datetime.resolution
    try:
        found = _source(timing).next_after(after)
    except OverflowError:  # it would be after the year 9999
        return None
    if found is None or (timing.ends_at is not None and found > timing.ends_at):
        return None
    return found


def upcoming(timing: Timing, after: datetime, most: int) -> list[datetime]:
    """Return the first times after an instant, at most so many.

    Raises:
        ValueError: as for `next_after`.
    """
    found: list[datetime] = []
    while len(found) < most and (time := next_after(timing, after)) is not None:
        found.append(after := time)
    return found


def passed(timing: Timing, first: datetime, now: datetime, since: datetime, most: int) -> Passed:
    """Return the times from `first` to `now`.

    Args:
        timing: of the schedule.
        first: the time that was announced as the next; it counts as one even if, by newer rules
            of the zone, it is none any more.
        now: aware.
        since: aware; older times are only counted.
        most: how many times are returned, 0 or more; older ones are only counted.

    Raises:
        ValueError: as for `next_after`.
    """
    first, now = first.astimezone(UTC), now.astimezone(UTC)
    last = now if timing.ends_at is None else min(now, timing.ends_at.astimezone(UTC))
    if first > last:
        return Passed([], 0, first if first > now else None)
    newest, count = _source(timing).between(max(first, last - COUNTED), last, most)
    announced = [first, *newest]
    times = [time for time in announced[max(0, len(announced) - most) :] if time >= since]
    return Passed(times, count + 1 - len(times), next_after(timing, now))


def with_jitter(fire_at: datetime, jitter_seconds: float, schedule_id: UUID) -> datetime:
    """Return when a time really fires: later by a part of the jitter, the same one in each process.

    Args:
        fire_at: the time, aware.
        jitter_seconds: the longest delay; 0 or more.
        schedule_id: of the schedule; schedules with the same times are spread.
    """
    digest = sha256(schedule_id.bytes + fire_at.astimezone(UTC).isoformat().encode()).digest()
    part = int.from_bytes(digest[:8]) / 2**64
    return fire_at + timedelta(seconds=part * jitter_seconds)


def explain(cron: str) -> str:
    """Return an expression in English, such as *At 02:30 on Sunday*.

    Raises:
        ValueError: it is none; the sentence can be shown.
    """
    return parse(cron).rules.explain()


def describe(timing: Timing) -> str:
    """Return the times in English, without their start and end, such as *Every 90 seconds*.

    Raises:
        ValueError: as for `next_after`.
    """
    if timing.cron is not None:
        return explain(timing.cron)
    pause = _pauses(timing).pause
    for unit, seconds in _UNITS.items():
        number, rest = divmod(pause, timedelta(seconds=seconds))
        if not rest:
            return f"Every {unit}" if number == 1 else f"Every {number:,} {unit}s"
    return f"Every {pause.total_seconds():,.6f}".rstrip("0") + " seconds"


def _source(timing: Timing) -> ByClock | Every:
    if timing.cron is not None:
        return ByClock(parse(timing.cron), zones.find(timing.timezone))
    return _pauses(timing)


def _pauses(timing: Timing) -> Every:
    if timing.every_seconds is None:
        raise ValueError("either cron or every_seconds is needed")
    pause = timedelta(seconds=timing.every_seconds)
    if timing.starts_at is not None:
        return Every(timing.starts_at.astimezone(UTC), pause)
    return Every(timing.created_at.astimezone(UTC) + pause, pause)


def _invalid(pointer: str, detail: str) -> FieldError:
    return FieldError(pointer, "invalid-schedule", detail)
