"""What a janitor prepares for a schedule before it locks it: the times that have come, and a task.

What is wrong with one schedule is told in its row, and does not keep others from firing.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from taskq_server.crud.pairs import Named
from taskq_server.domain import firing
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import InvalidFields, Rejected, Unavailable
from taskq_server.domain.firing import Look
from taskq_server.domain.requests import NewTask
from taskq_server.domain.schedule import Schedule
from taskq_server.schemas.schedule import submit_of
from taskq_server.services.submission import Made, Submission

_UNREADABLE = "this version of taskq cannot read the task of the schedule"
_ROW_BYTES = 4_000
_FAULT = "an error of taskq's own, which the log of a worker tells"

_log = logging.getLogger("taskq.server.janitor")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a schedule that is due.

    Attributes:
        schedule: as it was seen, without a lock.
        caller: by whose rights its tasks are judged.
        found: the times that have come; None if its times cannot be computed.
        made: its task as it would be stored; None without times, or if it cannot be.
        refusal: why it cannot be stored.
    """

    schedule: Schedule
    caller: Caller
    found: Look | None
    made: Made | None = None
    refusal: str | None = None

    @property
    def times(self) -> tuple[datetime, ...]:
        """The times that may get a task now, the one included that waits."""
        queued = self.schedule.queued_fire_at
        return (
            *(() if queued is None else (queued,)),
            *(() if self.found is None else self.found.times),
        )

    @property
    def tasks(self) -> int:
        """How many tasks it may need, at most."""
        return 0 if self.made is None else len(self.times)

    @property
    def tags(self) -> list[Named]:
        """The tags of its task, with their namespace."""
        names = () if self.made is None else self.made.tags
        return [(self.schedule.namespace, name) for name in names]

    @property
    def weight(self) -> int:
        """How many bytes a transaction is for it, at most and about."""
        return _ROW_BYTES + self.tasks * self._task_weight

    @property
    def _task_weight(self) -> int:
        return _ROW_BYTES + len(self.schedule.task)

    def at_most(self, weight: int) -> "Plan":
        """Return the plan with its first times only, and those that fit; the others are due next.

        Args:
            weight: bytes that a transaction may be for.
        """
        most = max(1, weight // self._task_weight)
        if self.found is None or self.made is None or len(self.found.times) <= most:
            return self
        some, following = self.found.times[:most], self.found.times[most]
        return replace(self, found=replace(self.found, times=some, following=following))

    def put_off(self) -> "Plan":
        """Return the plan of a schedule that is looked at again later, because of a bug."""
        return replace(self, found=None, made=None, refusal=_FAULT)

    def without(self, fired: Collection[datetime]) -> "Plan":
        """Return the plan without times that have their task already."""
        if self.found is None or not fired:
            return self
        queued = self.schedule.queued_fire_at
        return replace(
            self,
            found=replace(
                self.found, times=tuple(one for one in self.found.times if one not in fired)
            ),
            schedule=replace(self.schedule, queued_fire_at=None if queued in fired else queued),
        )


class Planner:
    """Make plans.

    Args:
        submission: makes tasks, as those of submits are made.
        clock: for times to store, aware UTC.
    """

    def __init__(self, submission: Submission, clock: Callable[[], datetime]) -> None:
        self._submission = submission
        self._clock = clock

    async def plan(self, schedule: Schedule, now: datetime) -> Plan:
        """Return what a schedule is to do.

        Args:
            schedule: is due.
            now: the earliest time that it may be, aware UTC.

        Raises:
            Unavailable: the database is away.
        """
        plan = Plan(schedule, _caller(schedule), None)
        try:
            found = firing.look(schedule, now)
        except ValueError as error:
            return replace(plan, refusal=str(error))
        except Exception:
            _log.exception("cannot compute the times of schedule %s", schedule.name)
            return replace(plan, refusal=_FAULT)
        if not found.times and schedule.queued_fire_at is None:
            return replace(plan, found=found)
        plan = replace(plan, found=found)
        try:
            made = await self.task(plan.caller, schedule)
        except Unavailable:
            raise
        except Rejected as error:
            return replace(plan, refusal=_sentence(error))
        except Exception:
            _log.exception("cannot make the task of schedule %s", schedule.name)
            return replace(plan, refusal=_FAULT)
        return replace(plan, made=made)

    async def task(self, caller: Caller, schedule: Schedule) -> Made:
        """Return the task of a schedule, as it is stored for a caller.

        Raises:
            Rejected: it cannot be taken.
            Unavailable: the database is away.
        """
        caller.check_may_run({"/handler": schedule.handler})
        return await self._submission.task(caller, _new_task(schedule), None, self._clock())


def _caller(schedule: Schedule) -> Caller:
    return Caller(
        schedule.namespace,
        frozenset(schedule.globs),
        schedule.key_id,
        name=f"schedule {schedule.name}",
    )


def _new_task(schedule: Schedule) -> NewTask:
    try:
        return submit_of(schedule.task).as_new_task()
    except ValueError as error:
        raise Rejected(_UNREADABLE) from error


def _sentence(error: Rejected) -> str:
    if not isinstance(error, InvalidFields) or not error.errors:
        return str(error)
    first = error.errors[0]
    return str(error) if first.detail in str(error) else f"{error}: {first.pointer} {first.detail}"
