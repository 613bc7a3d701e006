"""What a schedule does at its times: which of them fire, and which are skipped or missed.

`look` says which times have come, as far as catching up lets them; then `settle` decides by what
the last task does. Both are pure, so that a janitor looks without a lock, and settles under it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from taskq_server.domain import limits, times
from taskq_server.domain.schedule import CatchUp, Overlap, Schedule

ON_TIME = timedelta(seconds=30)
"""A time that is not later than this is on time: a janitor that took over needs a lease for it."""

_SOONEST, _LATEST = timedelta(seconds=1), timedelta(seconds=10)
_PART = 20
_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Look:
    """The times of a schedule that have come.

    Attributes:
        times: those that may fire, in order.
        missed: how many others have passed.
        following: the next time; None if there is none any more.
    """

    times: tuple[datetime, ...]
    missed: int
    following: datetime | None


@dataclass(frozen=True, slots=True)
class Settled:
    """What is decided about the times of a schedule.

    Attributes:
        fire: the times that fire, in order.
        schedule: as it is then; its last task is for the caller to set, who makes it.
    """

    fire: tuple[datetime, ...]
    schedule: Schedule


def look(schedule: Schedule, now: datetime) -> Look:
    """Return which times have come, jitter included.

    Args:
        schedule: is due.
        now: aware UTC.

    Raises:
        ValueError: its times cannot be computed here (any more).
    """
    if schedule.next_fire_at is None:
        return Look((), 0, None)
    come, older, following = _come(schedule, schedule.next_fire_at, now)
    on_time_since = now - ON_TIME
    late = [each for each in come if schedule.fires_at(each) < on_time_since]
    punctual = [each for each in come if schedule.fires_at(each) >= on_time_since]
    match schedule.catch_up:
        case CatchUp.ALL:
            caught = late
        case CatchUp.LAST:
            caught = [] if punctual else late[-1:]
        case CatchUp.NONE:
            caught = []
        case _:
            assert_never(schedule.catch_up)
    return Look(tuple(sorted((*caught, *punctual))), older + len(late) - len(caught), following)


def _come(
    schedule: Schedule, first: datetime, now: datetime
) -> tuple[list[datetime], int, datetime | None]:
    """Return the times that have come, how many older ones there were, and the next one.

    Those that passed long ago are found at once. Newer ones, whose jitter may be ahead, are found
    one after the other.
    """
    timing = schedule.timing
    come: list[datetime] = []
    older = 0
    old = now - ON_TIME - timedelta(seconds=schedule.jitter_seconds)
    if first < old:
        since = old - timedelta(seconds=schedule.catch_up_seconds) + ON_TIME
        most = limits.CATCH_UP_TIMES if schedule.catch_up is CatchUp.ALL else 1
        passed = times.passed(timing, first, old, since, most)
        come, older, found = passed.times, passed.older, passed.next
    else:
        found = first
    while found is not None and len(come) < 2 * limits.CATCH_UP_TIMES:
        if schedule.fires_at(found) > now:
            break
        come.append(found)
        found = times.next_after(timing, found)
    return come, older, found


def asks_to_cancel(schedule: Schedule, found: Look, *, is_busy: bool) -> bool:
    """Return whether new times of a schedule ask for the cancellation of its last task.

    Args:
        schedule: under its lock.
        found: what `look` said of it.
        is_busy: whether its last task is not final.
    """
    return is_busy and schedule.overlap is Overlap.CANCEL and bool(found.times)


def settle(
    schedule: Schedule,
    found: Look,
    *,
    is_busy: bool,
    now: datetime,
    refusal: str | None = None,
    room: int | None = None,
) -> Settled:
    """Decide about the times that have come, as if they had come one after the other.

    Args:
        schedule: under its lock.
        found: what `look` said of it.
        is_busy: whether its last task is not final, after a cancellation that was asked for.
        now: aware UTC.
        refusal: why no task of it can be stored; None if one can.
        room: how many tasks may begin to wait; None for any number.
    """
    queued = schedule.queued_fire_at
    pending = found.times if queued is None else (queued, *found.times)
    fire, waits = _overlapped(schedule.overlap, pending, is_busy=is_busy)
    skipped = len(pending) - len(fire) - (waits is not None)
    missed, error = found.missed, schedule.last_error
    if fire and refusal is not None:
        missed, error, fire = missed + len(fire), refusal, ()
    elif room is not None and len(fire) > room:
        missed += len(fire) - room
        error, fire = "as many tasks of the namespace wait as may", fire[len(fire) - room :]
    elif fire:
        error = None
    after = replace(
        schedule,
        next_fire_at=found.following,
        queued_fire_at=waits,
        last_fire_at=_latest(schedule, fire),
        fired=schedule.fired + len(fire),
        skipped=schedule.skipped + skipped,
        missed=schedule.missed + missed,
        last_error=error and _cut(error),
    )
    return Settled(fire, replace(after, due_at=_due_at(after, now)))


def has_no_task(settled: Schedule, refusal: str | None) -> Schedule:
    """Return a schedule of which one time that fires gets no task, because of its unique key.

    Args:
        settled: says that it fires.
        refusal: why the key is refused, so that the time is missed; None if the task that holds
            the key stands for it, so that it is skipped as one that overlaps.
    """
    return replace(
        settled,
        fired=settled.fired - 1,
        skipped=settled.skipped + (refusal is None),
        missed=settled.missed + (refusal is not None),
        last_error=settled.last_error if refusal is None else _cut(refusal),
    )


def _cut(error: str) -> str:
    return error[: limits.SCHEDULE_ERROR_LENGTH]


def _latest(schedule: Schedule, fire: Sequence[datetime]) -> datetime | None:
    last = schedule.last_fire_at
    return max((*fire, *(() if last is None else (last,))), default=None)


def _overlapped(
    overlap: Overlap, pending: Sequence[datetime], *, is_busy: bool
) -> tuple[tuple[datetime, ...], datetime | None]:
    """Return which times fire, and which one waits for the end of the last task."""
    first, newest = tuple(pending[:1]), tuple(pending[-1:])
    match overlap:
        case Overlap.ALLOW:
            return tuple(pending), None
        case Overlap.SKIP:
            return (() if is_busy else first), None
        case Overlap.QUEUE:
            waiting = pending if is_busy else pending[1:]
            return (() if is_busy else first), waiting[-1] if waiting else None
        case Overlap.CANCEL:
            # Each time would cancel the one before, so only the newest is worth a task.
            return ((), newest[0] if newest else None) if is_busy else (newest, None)
        case _:
            assert_never(overlap)


def _due_at(schedule: Schedule, now: datetime) -> datetime | None:
    following = schedule.next_fire_at
    due_at = None if following is None else schedule.fires_at(following)
    if schedule.queued_fire_at is None:
        return due_at
    # Whoever waits for long need not be looked at often.
    pause = (now - schedule.queued_fire_at) / _PART
    look_at = now + min(max(pause, _SOONEST), _LATEST)
    return look_at if due_at is None else min(due_at, look_at)


def put_off(schedule: Schedule, error: str, now: datetime) -> Schedule:
    """Return a schedule whose times cannot be computed; it is looked at again in a minute."""
    return replace(schedule, due_at=now + _AGAIN, last_error=_cut(error))


def fired_by_hand(schedule: Schedule, fire_at: datetime, task_id: UUID) -> Schedule:
    """Return a schedule that somebody has fired; its next time stays as it is.

    Args:
        schedule: under its lock.
        fire_at: aware UTC.
        task_id: of the new task.
    """
    return replace(
        schedule,
        fired=schedule.fired + 1,
        last_fire_at=fire_at,
        last_task_id=task_id,
        last_error=None,
    )
