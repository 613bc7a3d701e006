"""The transactions that fire schedules: tasks, which one is that of which time, and the schedules.

Schedules are locked before unique keys, and those before tasks, each in their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from taskq_server.core.database import Connection
from taskq_server.crud import many_changes, schedules, tasks, unique_keys
from taskq_server.crud.pairs import Named
from taskq_server.crud.schedules import NewFire
from taskq_server.crud.tasks import NewRow
from taskq_server.domain import firing, lifecycle
from taskq_server.domain.errors import ScheduleNotFound, UniqueConflict
from taskq_server.domain.ids import Mark
from taskq_server.domain.schedule import Overlap, Schedule
from taskq_server.domain.task import Task
from taskq_server.services import storing, unique
from taskq_server.services.fire_plans import Plan
from taskq_server.services.storing import Answer
from taskq_server.services.submission import Made
from taskq_server.services.unique import Conflict

_SCHEDULED, _UNIQUE_TOO = Mark.SCHEDULED, Mark.SCHEDULED | Mark.UNIQUE
_TICK = timedelta(microseconds=1)


class NewId(Protocol):
    """Makes ids of tasks."""

    def __call__(self, now: datetime, marks: Mark) -> UUID:
        """Return a new id, which says that side tables have rows about the task."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Schedules that are fired together.

    Attributes:
        plans: what they are to do, as they were seen without a lock.
        room: how many tasks of a namespace may begin to wait, where that is limited.
        tag_ids: the ids of the tags of all tasks.
        now: the earliest time that it may be, aware UTC.
    """

    plans: Sequence[Plan]
    room: Mapping[str, int]
    tag_ids: Mapping[Named, int]
    now: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """What a transaction has stored.

    Attributes:
        tasks: the new tasks.
        changes: other tasks before and after: last ones that were cancelled, and holders of unique
            keys that were given another payload.
        moved: schedules before and after.
    """

    tasks: list[Task] = field(default_factory=list)
    changes: list[tuple[Task, Task]] = field(default_factory=list)
    moved: list[tuple[Schedule, Schedule]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Decided:
    """A schedule before and after, and the rows of its tasks, each with its time."""

    before: Schedule
    after: Schedule
    rows: Sequence[tuple[datetime, NewRow]] = ()


async def store(connection: Connection, batch: Batch, new_id: NewId) -> Stored:
    """Fire those schedules of a batch that nobody else has locked or changed meanwhile.

    Args:
        connection: of a transaction.
        batch: the schedules.
        new_id: makes ids of tasks.

    Raises:
        TagGone: a tag is gone.
    """
    stored = Stored()
    taken = await schedules.take(connection, [plan.schedule for plan in batch.plans])
    mine = {each.id for each in taken}
    plans = [plan for plan in batch.plans if plan.schedule.id in mine]
    plans = await _without_fired(connection, plans)
    busy = await _busy(connection, plans, batch.now, stored)
    room = dict(batch.room)
    decided = [_settle(plan, busy, room, batch, new_id) for plan in plans]
    rows = [row for each in decided for _, row in each.rows]
    answers = await storing.all_new(connection, rows) if rows else ()
    answer_of = {row.task.id: answer for row, answer in zip(rows, answers, strict=True)}
    fires = [fire for each in decided for fire in _fires(each, answer_of, stored)]
    await schedules.add_fire(connection, *fires)
    await schedules.move(connection, [after for _, after in stored.moved])
    return stored


def _fires(
    decided: _Decided, answer_of: Mapping[UUID, Answer | UniqueConflict], stored: Stored
) -> list[NewFire]:
    """Return which tasks are those of which times, and note what else has become of them."""
    after = decided.after
    fires: list[NewFire] = []
    for fire_at, row in decided.rows:
        answer = answer_of[row.task.id]
        if answer is None:
            after = replace(after, last_task_id=row.task.id)
            fires.append(_fire(after, fire_at, row.task.id))
            stored.tasks.append(row.task)
            continue
        refusal = str(answer) if isinstance(answer, UniqueConflict) else None
        after = firing.has_no_task(after, refusal)
        if isinstance(answer, Conflict) and answer.before is not None:
            stored.changes.append((answer.before, answer.details.task))
    stored.moved.append((decided.before, after))
    return fires


def _settle(
    plan: Plan, busy: set[UUID], room: dict[str, int], batch: Batch, new_id: NewId
) -> _Decided:
    schedule, of = plan.schedule, plan.schedule.namespace
    if plan.found is None:
        return _Decided(schedule, firing.put_off(schedule, plan.refusal or "", batch.now))
    settled = firing.settle(
        schedule,
        plan.found,
        is_busy=schedule.last_task_id in busy,
        now=batch.now,
        refusal=plan.refusal,
        room=room.get(of),
    )
    if of in room:
        room[of] -= len(settled.fire)
    if plan.made is None:
        return _Decided(schedule, settled.schedule)
    tag_ids = [batch.tag_ids[of, name] for name in sorted(set(plan.made.tags))]
    rows = [(fire_at, _row(marked(plan.made, new_id), tag_ids)) for fire_at in settled.fire]
    return _Decided(schedule, settled.schedule, rows)


async def _without_fired(connection: Connection, plans: Sequence[Plan]) -> list[Plan]:
    """Return plans without the times that have their task already, because a clock was set back.

    No time that has one is later than the last one of its schedule.
    """
    doubtful = {
        (plan.schedule.id, each)
        for plan in plans
        for each in plan.times
        if plan.schedule.last_fire_at is not None and each <= plan.schedule.last_fire_at
    }
    if not doubtful:
        return list(plans)
    fired = await schedules.fired(connection, doubtful)
    return [plan.without({each for of, each in fired if of == plan.schedule.id}) for plan in plans]


async def _busy(
    connection: Connection, plans: Sequence[Plan], now: datetime, stored: Stored
) -> set[UUID]:
    """Return the last tasks that are not final, once those are cancelled that have to be."""
    asked = {
        plan.schedule.last_task_id
        for plan in plans
        if plan.schedule.overlap is not Overlap.ALLOW and plan.schedule.last_task_id is not None
    }
    found = await schedules.statuses(connection, asked)
    busy = {task_id for task_id, status in found.items() if not status.final}
    unwanted = [
        plan.schedule.last_task_id
        for plan in plans
        if plan.schedule.last_task_id in busy
        and plan.found is not None
        and firing.asks_to_cancel(plan.schedule, plan.found, is_busy=True)
    ]
    if unwanted:
        await unique_keys.lock(connection, unwanted)
        for task in (await tasks.lock(connection, unwanted, payload=False)).values():
            after = task if task.status.final else lifecycle.cancel(task, now=now)
            if after.status.final:
                busy.discard(task.id)
            if not task.status.final:
                stored.changes.append((task, after))
        await many_changes.write(connection, stored.changes)
    return busy


async def store_one(
    connection: Connection, seen: Schedule, made: Made, tag_ids: Sequence[int]
) -> datetime:
    """Store the task of a schedule that somebody fires, and return for which time it is.

    Args:
        connection: of a transaction.
        seen: the schedule as it was seen without a lock.
        made: the task, whose id is marked.
        tag_ids: of its tags.

    Raises:
        ScheduleNotFound: the schedule has been deleted.
        UniqueConflict: another task holds the unique key.
        TagGone: a tag is gone.
    """
    schedule = await schedules.get(connection, seen.namespace, seen.name, lock=True)
    if schedule is None or schedule.id != seen.id:
        raise ScheduleNotFound(f"there is no schedule {seen.name}")
    task_id = made.task.id
    earlier = await schedules.fires_of(connection, [task_id])
    if task_id in earlier:
        return earlier[task_id].fire_at  # an earlier try was committed
    fire_at = made.task.created_at
    if schedule.last_fire_at is not None:
        fire_at = max(fire_at, schedule.last_fire_at + _TICK)
    if fire_at == schedule.next_fire_at:
        fire_at += _TICK
    row = _row(made, tag_ids)
    holder = (await unique.take(connection, [row])).get(task_id)
    if holder is not None:
        raise unique.taken(holder, pointer="/task/unique_key")
    await tasks.insert_new(connection, [row])
    await schedules.add_fire(connection, _fire(schedule, fire_at, task_id))
    await schedules.move(connection, [firing.fired_by_hand(schedule, fire_at, task_id)])
    return fire_at


def marked(made: Made, new_id: NewId) -> Made:
    """Return a task with a new id, which says that a schedule has fired it."""
    task = made.task
    marks = _SCHEDULED if made.unique is None else _UNIQUE_TOO
    return made._replace(task=task._replace(id=new_id(task.created_at, marks)))


def _row(made: Made, tag_ids: Sequence[int]) -> NewRow:
    return NewRow(made.task, tuple(tag_ids), keep_seconds=made.keep_seconds, unique=made.unique)


def _fire(schedule: Schedule, fire_at: datetime, task_id: UUID) -> NewFire:
    return NewFire(schedule.id, fire_at, task_id, schedule.namespace, schedule.name)
