"""What people do to schedules: make, replace, pause and resume them."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from taskq_server.domain import times
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import FieldError, InvalidSchedule
from taskq_server.domain.schedule import CatchUp, Overlap, Schedule, globs_of

_FIRST_VERSION = 1
_CALLERS = (
    "cron", "every_seconds", "timezone", "task", "handler", "overlap", "catch_up",
    "catch_up_seconds", "jitter_seconds", "starts_at", "ends_at",
)  # fmt: skip
_TIMES = ("cron", "every_seconds", "timezone", "jitter_seconds", "starts_at", "ends_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """A schedule that is wanted. Times are aware UTC.

    Attributes:
        cron: when it fires, unless it has `every_seconds`.
        every_seconds: between two times.
        timezone: in which `cron` is read.
        task: what is submitted, as JSON text of the wire, without what was left out.
        handler: of the task.
        overlap: what happens while the last task is not final.
        catch_up: what happens to times that passed while nobody fired.
        catch_up_seconds: times older than this are missed.
        jitter_seconds: each task is up to so much later than its time.
        starts_at: no time is earlier.
        ends_at: no time is later.
        paused: whether it fires at no time; None leaves that as it is.
        note: for people.
        has_note: whether `note` counts; otherwise the note stays as it is.
    """

    cron: str | None
    every_seconds: float | None
    timezone: str
    task: str
    handler: str
    overlap: Overlap
    catch_up: CatchUp
    catch_up_seconds: float
    jitter_seconds: float
    starts_at: datetime | None
    ends_at: datetime | None
    paused: bool | None
    note: str | None
    has_note: bool


def check(new: NewSchedule) -> None:
    """Check that a schedule can have these times.

    Raises:
        UnknownTimezone: there is no such zone.
        InvalidSchedule: the times cannot be used; with pointers.
    """
    times.require(new.cron, new.every_seconds, new.timezone, new.starts_at, new.ends_at)


def begin(
    new: NewSchedule, *, schedule_id: UUID, name: str, caller: Caller, now: datetime
) -> Schedule:
    """Return a schedule that begins now, with the rights of its maker.

    Args:
        new: what is wanted, checked.
        schedule_id: of the schedule.
        name: of the schedule.
        caller: who is judged by the rights of now for as long as it fires.
        now: aware UTC.
    """
    made = Schedule(
        **{name: getattr(new, name) for name in _CALLERS},
        id=schedule_id,
        namespace=caller.namespace,
        name=name,
        paused_at=now if new.paused else None,
        note=new.note,
        key_id=caller.key_id,
        globs=globs_of(caller.scopes),
        declaration=None,
        version=_FIRST_VERSION,
        due_at=None,
        next_fire_at=None,
        queued_fire_at=None,
        last_fire_at=None,
        last_task_id=None,
        fired=0,
        skipped=0,
        missed=0,
        last_error=None,
        created_at=now,
        updated_at=now,
    )
    return _planned(made, now)


def replaced(schedule: Schedule, new: NewSchedule, *, caller: Caller, now: datetime) -> Schedule:
    """Return a schedule with what is wanted in place of what it was; the same if nothing differs.

    Its next time stays unless its times change, and its counts stay.

    Args:
        schedule: as it is.
        new: what is wanted, checked.
        caller: who is judged from now on, if anything changes.
        now: aware UTC.
    """
    paused_at = schedule.paused_at
    if new.paused is not None:
        paused_at = (paused_at or now) if new.paused else None
    note = new.note if new.has_note else schedule.note
    wanted = {name: getattr(new, name) for name in _CALLERS}
    after = replace(schedule, **wanted, paused_at=paused_at, note=note)
    if after == schedule:
        return schedule
    after = replace(after, key_id=caller.key_id, globs=globs_of(caller.scopes))
    return _changed(schedule, after, now)


def paused(schedule: Schedule, note: str | None, *, now: datetime) -> Schedule:
    """Return a schedule that fires at no time; a paused one stays so, but for a note that is given.

    A time that waited for the end of the last task is given up, and counts as skipped.
    """
    note = schedule.note if note is None else note
    after = replace(schedule, paused_at=schedule.paused_at or now, note=note)
    return schedule if after == schedule else _changed(schedule, after, now)


def resumed(schedule: Schedule, *, now: datetime) -> Schedule:
    """Return a schedule that fires from its next time on; those of the pause are gone."""
    if schedule.paused_at is None:
        return schedule
    return _changed(schedule, replace(schedule, paused_at=None, note=None), now)


def _changed(before: Schedule, after: Schedule, now: datetime) -> Schedule:
    after = replace(after, version=before.version + 1, updated_at=now)
    has_new_times = any(getattr(before, name) != getattr(after, name) for name in _TIMES)
    was_paused, is_paused = before.paused_at is not None, after.paused_at is not None
    if has_new_times or was_paused != is_paused:
        return _planned(after, now)
    return after


def _planned(schedule: Schedule, now: datetime) -> Schedule:
    """Return a schedule with its next time after now, if it has one."""
    if schedule.paused_at is not None:
        given_up = schedule.queued_fire_at is not None
        return replace(
            schedule,
            next_fire_at=None,
            due_at=None,
            queued_fire_at=None,
            skipped=schedule.skipped + given_up,
        )
    try:
        next_at = times.next_after(schedule.timing, now)
    except ValueError as error:  # such as a zone that this version of the zones has lost
        detail = str(error)
        raise InvalidSchedule(
            detail, [FieldError("/timezone", "invalid-schedule", detail)]
        ) from None
    due_at = None if next_at is None else schedule.fires_at(next_at)
    if schedule.queued_fire_at is not None:  # it is looked at for the time that waits
        due_at = now if schedule.due_at is None else min(schedule.due_at, due_at or now)
    return replace(schedule, next_fire_at=next_at, due_at=due_at)
