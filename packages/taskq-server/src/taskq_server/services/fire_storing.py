"""The transactions that fire schedules: tasks, which one is that of which time, and the schedules.

Schedules are locked before their tasks, in the order of their ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from taskq_server.core.database import Connection
from taskq_server.crud import many_changes, schedules, tasks
from taskq_server.crud.pairs import Named
from taskq_server.crud.schedules import NewFire
from taskq_server.crud.tasks import NewRow
from taskq_server.domain import firing, lifecycle
from taskq_server.domain.errors import ScheduleNotFound
from taskq_server.domain.ids import Mark
from taskq_server.domain.schedule import Overlap, Schedule
from taskq_server.domain.task import Task
from taskq_server.services.fire_plans import Plan
from taskq_server.services.submission import Made

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
        rows: the new tasks.
        fires: for which times they are.
        cancels: tasks before and after their cancellation.
        moved: schedules before and after.
    """

    rows: list[NewRow] = field(default_factory=list)
    fires: list[NewFire] = field(default_factory=list)
    cancels: list[tuple[Task, Task]] = field(default_factory=list)
    moved: list[tuple[Schedule, Schedule]] = field(default_factory=list)

    @property
    def tasks(self) -> list[Task]:
        """The new tasks."""
        return [row.task for row in self.rows]


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
    for plan in plans:
        _settle(plan, busy, room, batch, new_id, stored)
    if stored.rows:
        await tasks.insert_new(connection, stored.rows)
        await schedules.add_fire(connection, *stored.fires)
    await schedules.move(connection, [after for _, after in stored.moved])
    return stored


def _settle(
    plan: Plan,
    busy: set[UUID],
    room: dict[str, int],
    batch: Batch,
    new_id: NewId,
    stored: Stored,
) -> None:
    schedule, of = plan.schedule, plan.schedule.namespace
    if plan.found is None:
        put_off = firing.put_off(schedule, plan.refusal or "", batch.now)
        stored.moved.append((schedule, put_off))
        return
    settled = firing.settle(
        schedule,
        plan.found,
        is_busy=schedule.last_task_id in busy,
        now=batch.now,
        refusal=plan.refusal,
        room=room.get(of),
    )
    after = settled.schedule
    for fire_at in settled.fire:
        assert plan.made is not None, "what fires has a task"
        made = marked(plan.made, new_id)
        ids = [batch.tag_ids[of, name] for name in sorted(set(made.tags))]
        stored.rows.append(_row(made, ids))
        stored.fires.append(_fire(schedule, fire_at, made.task.id))
        after = replace(after, last_task_id=made.task.id)
    if of in room:
        room[of] -= len(settled.fire)
    stored.moved.append((schedule, after))


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
    for task in (
        (await tasks.lock(connection, unwanted, payload=False)).values() if unwanted else ()
    ):
        after = task if task.status.final else lifecycle.cancel(task, now=now)
        if after.status.final:
            busy.discard(task.id)
        if not task.status.final:
            stored.cancels.append((task, after))
    await many_changes.write(connection, stored.cancels)
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
    await tasks.insert_new(connection, [_row(made, tag_ids)])
    await schedules.add_fire(connection, _fire(schedule, fire_at, task_id))
    await schedules.move(connection, [firing.fired_by_hand(schedule, fire_at, task_id)])
    return fire_at


def marked(made: Made, new_id: NewId) -> Made:
    """Return a task with a new id, which says that a schedule has fired it."""
    task = made.task
    return made._replace(task=task._replace(id=new_id(task.created_at, Mark.SCHEDULED)))


def _row(made: Made, tag_ids: Sequence[int]) -> NewRow:
    return NewRow(made.task, tuple(tag_ids), keep_seconds=made.keep_seconds)


def _fire(schedule: Schedule, fire_at: datetime, task_id: UUID) -> NewFire:
    return NewFire(schedule.id, fire_at, task_id, schedule.namespace, schedule.name)
