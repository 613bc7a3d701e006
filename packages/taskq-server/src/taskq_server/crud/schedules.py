"""Schedules: their rows, what is due, and which tasks they have fired."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, func, insert, literal, select, update
from sqlalchemy import delete as delete_from
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.pairs import Named, is_one_of
from taskq_server.crud.prepared import BulkInsert
from taskq_server.crud.tables import IDS, schedule_fires, schedules, tasks
from taskq_server.domain.ids import Mark, is_marked
from taskq_server.domain.schedule import Schedule
from taskq_server.domain.task import Fire, Status

_of = schedules.c
_FIELDS = tuple(each.name for each in fields(Schedule))
_MOVES = (
    "due_at", "next_fire_at", "queued_fire_at", "last_fire_at", "last_task_id",
    "fired", "skipped", "missed", "last_error",
)  # fmt: skip
_FIRE = ("schedule_id", "fire_at", "task_id", "namespace", "name")
_whole = select(*(_of[name] for name in _FIELDS))
_insert_fires = BulkInsert(schedule_fires, once=False)
_forget_fires = delete_from(schedule_fires).where(schedule_fires.c.task_id.in_(IDS))


Time = tuple[UUID, datetime]
"""The id of a schedule, and one of its times."""


class NewFire(NamedTuple):
    """That a task is the one of a time of a schedule."""

    schedule_id: UUID
    fire_at: datetime
    task_id: UUID
    namespace: str
    name: str


async def get(
    connection: AsyncConnection, namespace: str, name: str, *, lock: bool = False
) -> Schedule | None:
    """Return a schedule of a namespace.

    Args:
        connection: of a transaction, to lock.
        namespace: of the schedule.
        name: of the schedule.
        lock: wait for those who fire or change it, and keep others from it.
    """
    statement = _whole.where(_of.namespace == namespace, _of.name == name)
    if lock:
        statement = statement.with_for_update()
    row = (await connection.execute(statement)).first()
    return None if row is None else _to_schedule(row)


async def put(connection: AsyncConnection, schedule: Schedule) -> None:
    """Insert a schedule.

    Raises:
        Violation: the name is taken.
    """
    await connection.execute(insert(schedules).values(_to_row(schedule)))


async def write(connection: AsyncConnection, schedule: Schedule) -> None:
    """Write all of a locked schedule."""
    values = _to_row(schedule)
    await connection.execute(update(schedules).where(_of.id == schedule.id).values(values))


async def delete(connection: AsyncConnection, schedule_id: UUID) -> None:
    """Delete a locked schedule; its tasks stay, and still know its name."""
    await connection.execute(delete_from(schedules).where(_of.id == schedule_id))


async def page(
    connection: AsyncConnection,
    namespace: str,
    *,
    handler: str | None = None,
    paused: bool | None = None,
    after: str | None = None,
    limit: int,
) -> list[Schedule]:
    """Return schedules of a namespace, by name.

    Args:
        connection: any.
        namespace: of the schedules.
        handler: of their tasks; None for any.
        paused: whether they are paused; None for all.
        after: the name to continue after; None for the first ones.
        limit: most schedules.
    """
    statement = _whole.where(_of.namespace == namespace).order_by(_of.name).limit(limit)
    if handler is not None:
        statement = statement.where(_of.handler == handler)
    if paused is not None:
        is_null = _of.paused_at.is_(None)
        statement = statement.where(~is_null if paused else is_null)
    if after is not None:
        statement = statement.where(_of.name > after)
    return [_to_schedule(row) for row in await connection.execute(statement)]


async def count(connection: AsyncConnection, namespace: str) -> int:
    """Return how many schedules a namespace has."""
    counted = select(func.count()).select_from(schedules).where(_of.namespace == namespace)
    return (await connection.execute(counted)).scalar_one()


async def made_by(connection: AsyncConnection, key_id: str, *, limit: int) -> list[Schedule]:
    """Return schedules that a key has set, those that were made first before others."""
    statement = _whole.where(_of.key_id == key_id).order_by(_of.id).limit(limit)
    return [_to_schedule(row) for row in await connection.execute(statement)]


async def handlers_named(connection: AsyncConnection) -> set[Named]:
    """Return the namespaces and handlers of all schedules that no code declares."""
    is_set = _of.declaration.is_(None)
    found = await connection.execute(select(_of.namespace, _of.handler).where(is_set).distinct())
    return {(namespace, handler) for namespace, handler in found}


async def declared(connection: AsyncConnection, which: Collection[Named]) -> dict[Named, str]:
    """Return the hashes of what code declares, of those of some schedules that it does declare.

    Args:
        connection: any.
        which: at least one namespace and name.
    """
    asked = is_one_of(_of.namespace, _of.name, sorted(which)), _of.declaration.is_not(None)
    found = select(_of.namespace, _of.name, _of.declaration).where(*asked)
    rows = await connection.execute(found)
    return {(namespace, name): digest for namespace, name, digest in rows}


async def delete_declared(connection: AsyncConnection, which: Collection[Named]) -> None:
    """Delete schedules that code declared; their tasks stay, and still know their names.

    Args:
        connection: of a transaction.
        which: at least one namespace and name.
    """
    gone = is_one_of(_of.namespace, _of.name, sorted(which)), _of.declaration.is_not(None)
    await connection.execute(delete_from(schedules).where(*gone))


async def due(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Schedule]:
    """Return schedules of all namespaces to look at now, those that have been due for longest."""
    statement = _whole.where(_of.due_at <= now).order_by(_of.due_at).limit(limit)
    return [_to_schedule(row) for row in await connection.execute(statement)]


async def take(connection: AsyncConnection, seen: Sequence[Schedule]) -> list[Schedule]:
    """Lock those of some schedules that are as they were seen, and that nobody else has locked."""
    columns = [_of[name] for name in ("id", "version", *_MOVES)]
    wanted = select(*columns).where(_of.id.in_(IDS)).order_by(_of.id)
    locked = await connection.execute(
        wanted.with_for_update(skip_locked=True), {"ids": sorted(each.id for each in seen)}
    )
    now = {row.id: tuple(row) for row in locked}
    return [
        each
        for each in seen
        if now.get(each.id) == (each.id, each.version, *(getattr(each, name) for name in _MOVES))
    ]


async def move(connection: AsyncConnection, moved: Sequence[Schedule]) -> None:
    """Store how far some locked schedules have come, in one statement."""
    if not moved:
        return
    ordered = sorted(moved, key=lambda each: each.id)
    values = {name: _by_id(ordered, name) for name in _MOVES}
    which = _of.id.in_([each.id for each in ordered])
    await connection.execute(update(schedules).where(which).values(values))


async def statuses(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, Status]:
    """Return the statuses of some tasks, as far as they exist, without waiting for a lock."""
    if not ids:
        return {}
    found = select(tasks.c.id, tasks.c.status).where(tasks.c.id.in_(IDS))
    rows = await connection.execute(found, {"ids": sorted(ids)})
    return {task_id: status for task_id, status in rows}


async def add_fire(connection: AsyncConnection, *fires: NewFire) -> None:
    """Store which tasks are those of which times.

    Raises:
        Violation: a time has its task already.
    """
    await _insert_fires(connection, _FIRE, sorted(fires))


async def fired(connection: AsyncConnection, times: Collection[Time]) -> set[Time]:
    """Return those of some times that have their task."""
    of = schedule_fires.c
    found = select(of.schedule_id, of.fire_at).where(
        of.schedule_id.in_(sorted({one for one, _ in times})),
        of.fire_at.in_(sorted({at for _, at in times})),
    )
    return {(one, at) for one, at in await connection.execute(found)}.intersection(times)


async def fires_of(connection: AsyncConnection, task_ids: Iterable[UUID]) -> dict[UUID, Fire]:
    """Return for which time of which schedule some tasks were submitted, as far as they were.

    Without tasks whose ids are marked as scheduled, this asks nothing.
    """
    marked = sorted(one for one in task_ids if is_marked(one, Mark.SCHEDULED))
    if not marked:
        return {}
    columns = (schedule_fires.c[name] for name in ("task_id", "name", "fire_at"))
    found = select(*columns).where(schedule_fires.c.task_id.in_(IDS))
    rows = await connection.execute(found, {"ids": marked})
    return {task_id: Fire(name, fire_at) for task_id, name, fire_at in rows}


async def forget_fires(connection: AsyncConnection, task_ids: Iterable[UUID]) -> None:
    """Delete what is known of the times of some tasks, which are about to be deleted."""
    marked = sorted(one for one in task_ids if is_marked(one, Mark.SCHEDULED))
    if marked:
        await connection.execute(_forget_fires, {"ids": marked})


def _by_id(moved: Sequence[Schedule], name: str) -> ColumnElement[Any]:
    kind = _of[name].type
    given = {each.id: getattr(each, name) for each in moved}
    if len(set(given.values())) == 1:
        return literal(getattr(moved[0], name), kind)
    return case(*((_of.id == of, literal(value, kind)) for of, value in given.items()))


def _to_schedule(row: Row[Any]) -> Schedule:
    values = {name: row._mapping[name] for name in _FIELDS}
    return Schedule(**{**values, "globs": tuple(json.loads(values["globs"]))})


def _to_row(schedule: Schedule) -> dict[str, Any]:
    values = {name: getattr(schedule, name) for name in _FIELDS}
    return {**values, "globs": json.dumps(schedule.globs)}
