"""Insert, read, lock, change and delete one task or several."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud import counts, keeps, schedules, unique_keys
from taskq_server.crud.pairs import Named, is_one_of
from taskq_server.crud.prepared import BulkInsert, IdListStatement, is_one_of_ids
from taskq_server.crud.tables import (
    IDS,
    TASK_FIELDS,
    attempts,
    tags,
    task_keeps,
    task_tags,
    task_without_payload,
    tasks,
    whole_attempt,
    whole_task,
    workers,
)
from taskq_server.crud.tags import link, mark_idle
from taskq_server.domain.counts import place
from taskq_server.domain.retention import first_look
from taskq_server.domain.task import Address, Attempt, Task, TaskDetails
from taskq_server.domain.unique import UniqueKey

_Read = tuple[Task, float | None]


def _with_keep(row: Sequence[Any]) -> _Read:
    return Task._make(row[:-1]), row[-1]


# A join: a subquery, or a statement of its own, would cost four times as much.
_whole = select(*whole_task, task_keeps.c.keep_seconds).outerjoin_from(
    tasks, task_keeps, task_keeps.c.task_id == tasks.c.id
)
_by_id = IdListStatement(_whole.where(is_one_of_ids(tasks.c.id)), _with_keep)
_holders = select(tasks.c.namespace, tasks.c.idempotency_hash, tasks.c.id, tasks.c.fingerprint)
_is_there = select(tasks.c.id).where(
    tasks.c.id == bindparam("task_id"), tasks.c.namespace == bindparam("of_namespace")
)
_attempts_of = IdListStatement(
    select(*whole_attempt, workers.c.name)
    .outerjoin(workers, workers.c.id == attempts.c.worker_id)
    .where(is_one_of_ids(attempts.c.task_id))
    .order_by(attempts.c.task_id, attempts.c.attempt),
    Attempt._make,
)
_tags_of = IdListStatement(
    select(task_tags.c.task_id, tags.c.name)
    .join(tags, tags.c.id == task_tags.c.tag_id)
    .where(is_one_of_ids(task_tags.c.task_id))
    .order_by(task_tags.c.task_id, tags.c.name),
    tuple,
)
_lock, _lock_light = (
    IdListStatement(
        select(*columns).where(is_one_of_ids(tasks.c.id)).order_by(tasks.c.id).with_for_update(),
        Task._make,
    )
    for columns in (whole_task, task_without_payload)
)
_lock_ids = IdListStatement(
    select(tasks.c.id).where(is_one_of_ids(tasks.c.id)).order_by(tasks.c.id).with_for_update(),
    itemgetter(0),
)
_existing = IdListStatement(select(tasks.c.id).where(is_one_of_ids(tasks.c.id)), itemgetter(0))
_insert_new, _insert_once = (BulkInsert(tasks, once=once) for once in (False, True))
_COLUMNS = (*TASK_FIELDS, "idempotency_hash", "fingerprint")

Own = tuple[Address, str]
"""A task's address, and the id of the key that has submitted it."""


class NewRow(NamedTuple):
    """A task to insert, with its tags' ids, the hash of its idempotency key and its fingerprint.

    `keep_seconds` is for how long the task is kept after its end, if it says so. Whoever inserts a
    task with a `unique` key has taken the key for it.
    """

    task: Task
    tag_ids: tuple[int, ...] = ()
    idempotency_hash: str | None = None
    fingerprint: str | None = None
    keep_seconds: float | None = None
    unique: UniqueKey | None = None

    @property
    def claim(self) -> unique_keys.Claim | None:
        """The unique key that the task wants to hold, if it has one."""
        unique, task = self.unique, self.task
        return None if unique is None else unique_keys.Claim(task.namespace, unique.hash, task.id)

    @property
    def key(self) -> Named | None:
        """The namespace and hash of the idempotency key, if the task has one."""
        hashed = self.idempotency_hash
        return None if hashed is None else (self.task.namespace, hashed)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The task that an idempotency key belongs to."""

    task_id: UUID
    fingerprint: str | None


async def insert_new(connection: AsyncConnection, rows: Sequence[NewRow]) -> None:
    """Insert tasks whose idempotency keys are new.

    Raises:
        Violation: a key is taken.
        TagGone: a tag is gone.
    """
    if not rows:
        return
    ordered = _ordered(rows)
    await _insert_new(connection, _COLUMNS, _values(ordered))
    await _enter(connection, ordered)


async def insert(connection: AsyncConnection, rows: Sequence[NewRow]) -> dict[Named, KeyHolder]:
    """Insert tasks, except for rows that exist already and rows whose idempotency key is taken.

    Args:
        connection: of a transaction.
        rows: of any namespaces.

    Returns:
        The holder of each idempotency key of `rows` now, by namespace and hash.

    Raises:
        TagGone: a tag is gone.
    """
    if not rows:
        return {}
    ordered = _ordered(rows)
    # A retry after a commit without an answer finds its rows, and must not count them again.
    there = set(await _lock_ids(connection, [row.task.id for row in rows]))
    await _insert_once(connection, _COLUMNS, _values(ordered))
    holders = await key_holders(connection, [row.key for row in ordered if row.key is not None])
    winners = [row for row in ordered if row.key is None or holders[row.key].task_id == row.task.id]
    new = [row for row in winners if row.task.id not in there]
    await _enter(connection, new)
    return holders


async def key_holders(
    connection: AsyncConnection, keys: Collection[Named]
) -> dict[Named, KeyHolder]:
    """Return the task that holds each of these idempotency keys, by namespace and hash."""
    if not keys:
        return {}
    is_held = is_one_of(tasks.c.namespace, tasks.c.idempotency_hash, keys)
    found = await connection.execute(_holders.where(is_held))
    return {
        (row.namespace, row.idempotency_hash): KeyHolder(row.id, row.fingerprint) for row in found
    }


async def details(
    connection: AsyncConnection, wanted: Iterable[Address]
) -> dict[Address, TaskDetails]:
    """Return tasks with their tags and ended attempts; an id finds nothing in other namespaces."""
    asked = set(wanted)
    rows = await _by_id(connection, {task_id for _, task_id in asked})
    found = [row for row in rows if (row[0].namespace, row[0].id) in asked]
    return {(of.task.namespace, of.task.id): of for of in await _detailed(connection, found)}


async def own_details(connection: AsyncConnection, wanted: Iterable[Own]) -> dict[Own, TaskDetails]:
    """Return tasks as `details` does, if the key that is named next to each has submitted it.

    The database looks at the keys, because a task that is read and dropped would take longer than
    one that does not exist.
    """
    keyed = sorted({(key_id, task_id) for (_, task_id), key_id in wanted})
    is_own = is_one_of(tasks.c.submitted_by, tasks.c.id, keyed)
    found = [_with_keep(row) for row in await connection.execute(_whole.where(is_own))]
    return {_own(of.task): of for of in await _detailed(connection, found)}


def _own(task: Task) -> Own:
    return (task.namespace, task.id), task.submitted_by or ""


async def _detailed(connection: AsyncConnection, found: Sequence[_Read]) -> list[TaskDetails]:
    ended = await _attempts(connection, [task.id for task, _ in found if task.attempt])
    ids = [task.id for task, _ in found]
    named = await tag_names(connection, ids)
    fires = await schedules.fires_of(connection, ids)
    unique = await unique_keys.texts(connection, ids)
    return [
        TaskDetails(
            task,
            named.get(task.id, ()),
            tuple(ended.get(task.id, ())),
            keep_seconds,
            fires.get(task.id),
            unique.get(task.id),
        )
        for task, keep_seconds in found
    ]


async def existing(connection: AsyncConnection, ids: Iterable[UUID]) -> set[UUID]:
    """Return which of some tasks are stored; this waits for no lock."""
    return set(await _existing(connection, ids))


async def exists(connection: AsyncConnection, namespace: str, task_id: UUID) -> bool:
    """Return whether a namespace has a task; this waits for no lock."""
    found = await connection.execute(_is_there, {"of_namespace": namespace, "task_id": task_id})
    return found.first() is not None


async def tag_names(
    connection: AsyncConnection, ids: Sequence[UUID]
) -> dict[UUID, tuple[str, ...]]:
    """Return the tags of each task that has any, sorted by name."""
    if not ids:
        return {}
    names: dict[UUID, tuple[str, ...]] = {}
    for task_id, name in await _tags_of(connection, ids):
        names[task_id] = (*names.get(task_id, ()), name)
    return names


async def lock(
    connection: AsyncConnection, ids: Iterable[UUID], *, payload: bool = True
) -> dict[UUID, Task]:
    """Lock rows until the end of the transaction and return them.

    Args:
        ids: in any order; rows are locked in the order of their ids.
        payload: False leaves the payload empty, for decisions that do not need it.
    """
    locked = await (_lock if payload else _lock_light)(connection, ids)
    return {task.id: task for task in locked}


async def write(connection: AsyncConnection, before: Task, after: Task) -> None:
    """Write the fields that differ between two states of one locked task.

    One that has ended by that frees its unique key. Whoever lets one wait again has taken the key.
    """
    changes = {
        name: getattr(after, name)
        for name in TASK_FIELDS
        if getattr(after, name) != getattr(before, name)
    }
    if changes:
        await connection.execute(update(tasks).where(tasks.c.id == before.id).values(changes))
        await counts.move(connection, before=[place(before)], after=[place(after)])
        if after.status.final and not before.status.final:
            await unique_keys.release(connection, [after.id])


async def set_tags(
    connection: AsyncConnection, task_id: UUID, tag_ids: Sequence[int], now: datetime
) -> None:
    """Replace the tags of one locked task.

    Raises:
        TagGone: a tag is gone.
    """
    await mark_idle(connection, [task_id], now)
    await connection.execute(delete(task_tags).where(task_tags.c.task_id == task_id))
    await link(connection, [(task_id, tag_id) for tag_id in tag_ids])


async def remove(connection: AsyncConnection, gone: Sequence[Task], now: datetime) -> None:
    """Delete locked tasks with all that belongs to them."""
    wanted = {"ids": sorted(task.id for task in gone)}
    await mark_idle(connection, wanted["ids"], now)
    await connection.execute(delete(task_tags).where(task_tags.c.task_id.in_(IDS)), wanted)
    await connection.execute(delete(attempts).where(attempts.c.task_id.in_(IDS)), wanted)
    await keeps.forget(connection, wanted["ids"])
    await schedules.forget_fires(connection, wanted["ids"])
    await unique_keys.forget(connection, wanted["ids"])
    await connection.execute(delete(tasks).where(tasks.c.id.in_(IDS)), wanted)
    await counts.move(connection, before=map(place, gone))


def _ordered(rows: Sequence[NewRow]) -> list[NewRow]:
    return sorted(rows, key=lambda row: row.task.id)


def _values(rows: Sequence[NewRow]) -> list[tuple[object, ...]]:
    return [(*row.task, row.idempotency_hash, row.fingerprint) for row in rows]


async def _enter(connection: AsyncConnection, rows: Sequence[NewRow]) -> None:
    """Insert what belongs to inserted tasks, and append them to the ledger."""
    await link(connection, [(row.task.id, tag_id) for row in rows for tag_id in row.tag_ids])
    await keeps.insert(
        connection, [_keep(row, row.keep_seconds) for row in rows if row.keep_seconds]
    )
    await unique_keys.insert_texts(
        connection, [(row.task.id, row.unique.text) for row in rows if row.unique]
    )
    await counts.move(connection, after=(place(row.task) for row in rows))


def _keep(row: NewRow, seconds: float) -> keeps.Row:
    task, own = row.task, timedelta(seconds=seconds)
    look_at = first_look(created_at=task.created_at, due_at=task.due_at, own=own)
    return task.id, seconds, look_at


async def _attempts(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, list[Attempt]]:
    ended: dict[UUID, list[Attempt]] = {}
    if ids:
        for attempt in await _attempts_of(connection, ids):
            ended.setdefault(attempt.task_id, []).append(attempt)
    return ended
