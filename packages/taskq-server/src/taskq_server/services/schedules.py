"""Set, read, pause, resume, fire and delete schedules; `services.firing` does what they ask for."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from taskq_server.core.database import Connection, Database, Violation
from taskq_server.crud import schedules
from taskq_server.domain import limits, schedule_edits, scopes
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import (
    AUTHORIZATION,
    DeclaredInCode,
    FieldError,
    InvalidFields,
    PermissionDenied,
    QuotaExceeded,
    ScheduleNotFound,
    VersionMismatch,
)
from taskq_server.domain.naming import DECLARED
from taskq_server.domain.schedule import Schedule
from taskq_server.domain.schedule_edits import NewSchedule
from taskq_server.domain.task import TaskDetails
from taskq_server.schemas.schedule import patched, submit_of
from taskq_server.services import schedule_cursor as cursors
from taskq_server.services.read import as_shown
from taskq_server.services.submission import Submission

_TRIES = 20

FireNow = Callable[[Caller, Schedule], Awaitable[TaskDetails]]
"""Submits the task of a schedule."""

Expect = Callable[[Schedule | None], bool]
"""Returns whether a caller means the schedule as it is; None stands for one that is not there."""


def _any(_: Schedule | None) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Page:
    """Schedules by name; `next_cursor` is None on the last page."""

    items: Sequence[Schedule]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Put:
    """A schedule that was set, and whether it is a new one."""

    schedule: Schedule
    is_new: bool


class ScheduleService:
    """What a caller may do with the schedules of its namespace.

    A caller that does not see the tasks of a schedule gets its outline, unless it has just said all
    that there is to see.

    Args:
        database: holds the rows.
        clock: aware UTC.
        new_id: makes an id for a moment.
        submission: checks tasks as those of submits.
        fire_now: submits the task of a schedule.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], UUID],
        submission: Submission,
        fire_now: FireNow,
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._submission = submission
        self._fire_now = fire_now

    async def put(self, caller: Caller, name: str, new: NewSchedule, expect: Expect = _any) -> Put:
        """Make a schedule, or replace it; one that is so already stays as it is.

        Its tasks are judged by the rights that the caller has now, for as long as it fires.

        Args:
            caller: of the schedule's namespace.
            name: of the schedule.
            new: what is wanted.
            expect: looks at what is there, under its lock.

        Raises:
            PermissionDenied: the caller may not run the handler.
            Rejected: no schedule can have these times, no submit of its task could be taken, or
                the namespace has as many schedules as it may.
            DeclaredInCode: code declares the schedule.
            VersionMismatch: the caller means another state of it.
        """
        if name.startswith(DECLARED):
            raise DeclaredInCode(f"a name that begins with {DECLARED} is for what code declares")
        await self._check(caller, new)
        now = self._clock()
        made = schedule_edits.begin(
            new, schedule_id=self._new_id(now), name=name, caller=caller, now=now
        )

        async def work(connection: Connection) -> Put:
            found = await schedules.get(connection, caller.namespace, name, lock=True)
            if found is not None and found.id == made.id:
                return Put(found, is_new=True)  # an earlier try was committed
            if not expect(found):
                raise _mismatch(found)
            if found is not None:
                return Put(await self._replace(connection, caller, found, new), is_new=False)
            await _check_room(connection, caller.namespace)
            await schedules.put(connection, made)
            return Put(made, is_new=True)

        try:
            return await self._database.write(work)
        except Violation:  # somebody else has made one of this name
            return await self._database.write(work)

    async def patch(
        self, caller: Caller, name: str, patch: Mapping[str, Any], expect: Expect = _any
    ) -> Schedule:
        """Apply a JSON merge patch (RFC 7396) to what callers say of a schedule.

        Args:
            caller: of the schedule's namespace.
            name: of the schedule.
            patch: of the schedule on the wire.
            expect: looks at what is there.

        Raises:
            ScheduleNotFound: the namespace has none of this name.
            PermissionDenied, Rejected, DeclaredInCode, VersionMismatch: as for `put`.
        """
        _check_runs_any(caller)
        for _ in range(_TRIES):
            seen = await self._seen(caller, name)
            if not expect(seen):
                raise _mismatch(seen)
            _check_free(seen)
            new = patched(seen, patch)
            await self._check(caller, new)
            changed = await self._replace_seen(caller, seen, new)
            if changed is not None:
                return _as_shown(caller, changed)
        raise VersionMismatch("others change the schedule again and again: try once more")

    async def get(self, caller: Caller, name: str) -> Schedule:
        """Return a schedule.

        Raises:
            ScheduleNotFound: the namespace has none of this name.
        """
        return _as_shown(caller, await self._seen(caller, name))

    async def list(
        self,
        caller: Caller,
        *,
        handler: str | None = None,
        paused: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return one page, by name.

        Args:
            caller: sees the schedules of its namespace.
            handler: of their tasks; None for any.
            paused: whether they are paused; None for all.
            limit: most schedules in the page.
            cursor: `next_cursor` of the page before; None for the first page.

        Raises:
            InvalidCursor: the cursor was not made for this list.
        """
        bound = [caller.namespace, handler, paused]
        after = None if cursor is None else cursors.read(cursor, bound)
        found = await self._database.read(
            lambda c: schedules.page(
                c, caller.namespace, handler=handler, paused=paused, after=after, limit=limit + 1
            )
        )
        items = found[:limit]
        more = len(found) > limit
        return Page(items, cursors.write(items[-1].name, bound) if more else None)

    async def delete(self, caller: Caller, name: str) -> None:
        """Delete a schedule; its tasks stay.

        Raises:
            ScheduleNotFound: the namespace has none of this name.
            DeclaredInCode: code declares the schedule.
        """

        async def work(connection: Connection) -> None:
            found = await _locked(connection, caller, name)
            _check_free(found)
            await schedules.delete(connection, found.id)

        await self._database.write(work)

    async def pause(self, caller: Caller, name: str, note: str | None) -> Schedule:
        """Pause a schedule: once this has returned, it fires at no time.

        Args:
            caller: of the schedule's namespace.
            name: of the schedule.
            note: why, for people; None leaves the note as it is.

        Raises:
            ScheduleNotFound: the namespace has none of this name.
        """
        return await self._change(
            caller, name, lambda found: schedule_edits.paused(found, note, now=self._clock())
        )

    async def resume(self, caller: Caller, name: str) -> Schedule:
        """Let a schedule fire again, from its next time on.

        Raises:
            ScheduleNotFound: the namespace has none of this name.
        """
        return await self._change(
            caller, name, lambda found: schedule_edits.resumed(found, now=self._clock())
        )

    async def fire(self, caller: Caller, name: str) -> TaskDetails:
        """Submit the task of a schedule now, whatever its times are; return it.

        The task belongs to the key of the schedule, as all of its tasks do.

        Raises:
            ScheduleNotFound: the namespace has none of this name.
            PermissionDenied: the caller may not run the handler.
            Rejected: the task cannot be taken.
        """
        _check_runs_any(caller)
        schedule = await self._seen(caller, name)
        caller.check_may_run({AUTHORIZATION: schedule.handler})
        for_its_key = replace(caller, key_id=schedule.key_id)
        return as_shown(caller, await self._fire_now(for_its_key, schedule))

    async def _seen(self, caller: Caller, name: str) -> Schedule:
        found = await self._database.read(lambda c: schedules.get(c, caller.namespace, name))
        return _required(found, name)

    async def _check(self, caller: Caller, new: NewSchedule) -> None:
        """Check what is wanted; what is wrong with the task is told as of a submit."""
        caller.check_may_run({"/task/handler": new.handler})
        schedule_edits.check(new)
        task = submit_of(new.task).as_new_task()
        try:
            await self._submission.task(caller, task, None, self._clock())
        except InvalidFields as error:
            within = [
                FieldError(f"/task{each.pointer}", each.code, each.detail) for each in error.errors
            ]
            raise type(error)(str(error), within) from None

    async def _replace(
        self, connection: Connection, caller: Caller, found: Schedule, new: NewSchedule
    ) -> Schedule:
        _check_free(found)
        after = schedule_edits.replaced(found, new, caller=caller, now=self._clock())
        if after != found:
            await schedules.write(connection, after)
        return after

    async def _replace_seen(
        self, caller: Caller, seen: Schedule, new: NewSchedule
    ) -> Schedule | None:
        """Replace a schedule unless callers have changed it since it was seen."""

        async def work(connection: Connection) -> Schedule | None:
            found = await _locked(connection, caller, seen.name)
            if (found.id, found.version) != (seen.id, seen.version):
                return None
            return await self._replace(connection, caller, found, new)

        return await self._database.write(work)

    async def _change(
        self, caller: Caller, name: str, decide: Callable[[Schedule], Schedule]
    ) -> Schedule:
        async def work(connection: Connection) -> Schedule:
            found = await _locked(connection, caller, name)
            after = decide(found)
            if after != found:
                await schedules.write(connection, after)
            return after

        return _as_shown(caller, await self._database.write(work))


async def _locked(connection: Connection, caller: Caller, name: str) -> Schedule:
    return _required(await schedules.get(connection, caller.namespace, name, lock=True), name)


async def _check_room(connection: Connection, namespace: str) -> None:
    amount = await schedules.count(connection, namespace)
    if amount >= limits.SCHEDULES:
        detail = f"the namespace has {amount} schedules, and may have no more: delete some"
        raise QuotaExceeded(detail, [FieldError("/path/name", "quota-exceeded", detail)])


def _required(found: Schedule | None, name: str) -> Schedule:
    if found is None:
        raise ScheduleNotFound(f"there is no schedule {name}")
    return found


def _check_runs_any(caller: Caller) -> None:
    if not scopes.runs(caller.scopes):
        raise PermissionDenied.missing(scopes.RUN)


def _as_shown(caller: Caller, schedule: Schedule) -> Schedule:
    return schedule if caller.sees(schedule.key_id) else schedule.outline


def _check_free(schedule: Schedule) -> None:
    if schedule.declaration is not None:
        raise DeclaredInCode(
            f"the code of the handler {schedule.handler} declares {schedule.name}, "
            "and only code changes it"
        )


def _mismatch(found: Schedule | None) -> VersionMismatch:
    if found is None:
        return VersionMismatch("there is no such schedule")
    return VersionMismatch(f"the schedule is at version {found.version}")
