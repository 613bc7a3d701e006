"""Claims of tasks, and the cancel requests and progress of claimed tasks."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import case, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud import counts, queues
from taskq_server.crud.prepared import IdListStatement, is_one_of_ids
from taskq_server.crud.tables import is_running, tasks, whole_task
from taskq_server.crud.tables import queues as rows_of_queues
from taskq_server.crud.versioned import update_by_ids
from taskq_server.domain.counts import place
from taskq_server.domain.task import Queue, Status, Task

# Read with a lock of its own, so that the statement sees what is committed, not what was when it
# began, and so that a pause waits for the claim. Null if the queue has no row.
_is_paused = (
    select(
        case((rows_of_queues.c.paused_at.is_(None), literal_column("0")), else_=literal_column("1"))
    )
    .where(rows_of_queues.c.namespace == tasks.c.namespace, rows_of_queues.c.name == tasks.c.queue)
    .correlate(tasks)
    .with_for_update(read=True)
    .scalar_subquery()
)


def _with_pause(row: tuple[Any, ...]) -> tuple[Task, int | None]:
    return Task._make(row[:-1]), row[-1]


_lock = IdListStatement(
    select(*whole_task, _is_paused)
    .where(is_one_of_ids(tasks.c.id))
    .order_by(tasks.c.id)
    .with_for_update(),
    _with_pause,
)
# A claim writes the same to all tasks of a batch, so it is one UPDATE however many there are. The
# lifecycle decides on rows that are locked here, so nothing is compared again.
_CLAIMED = ("worker_id", "started_at", "updated_at")
_claim = update_by_ids(*_CLAIMED, status=Status.RUNNING, attempt=tasks.c.attempt + 1, score=None)
_cancels_asked = IdListStatement(
    select(tasks.c.id).where(
        is_one_of_ids(tasks.c.id), is_running, tasks.c.cancel_requested_at.is_not(None)
    ),
    itemgetter(0),
)


async def lock(
    connection: AsyncConnection, ids: Collection[UUID]
) -> tuple[dict[UUID, Task], set[UUID]]:
    """Lock tasks to claim them, and their queues, so that no pause is answered before the commit.

    The first claim of a queue makes its row, with two statements more.

    Args:
        connection: of a transaction.
        ids: in any order.

    Returns:
        The tasks, by id, and the ids of those whose queue is paused.
    """
    rows = await _lock(connection, ids)
    if new := {
        Queue(task.namespace, task.queue)
        for task, is_paused in rows
        if is_paused is None and task.status.waiting
    }:
        await queues.make(connection, new)
        rows = await _lock(connection, ids)
    locked = {task.id: task for task, _ in rows}
    return locked, {task.id for task, is_paused in rows if is_paused}


async def mark_claimed(
    connection: AsyncConnection, waiting: Sequence[Task], *, worker_id: UUID, now: datetime
) -> None:
    """Write the claim that the lifecycle decided; `waiting` are the locked tasks before it."""
    ids = [task.id for task in waiting]
    given = {"to_worker_id": worker_id, "to_started_at": now, "to_updated_at": now}
    await _claim.count(connection, ids, **given)
    await counts.move(
        connection, before=map(place, waiting), after=(place(t, Status.RUNNING) for t in waiting)
    )


async def cancels_asked(connection: AsyncConnection, ids: Collection[UUID]) -> list[UUID]:
    """Return the running tasks of these whose cancellation was requested."""
    return await _cancels_asked(connection, ids)


async def set_progress(
    connection: AsyncConnection, progress: Mapping[UUID, str], now: datetime
) -> None:
    """Write the progress of locked running tasks."""
    if not progress:
        return
    ids = sorted(progress)
    value = case(*((tasks.c.id == task_id, progress[task_id]) for task_id in ids))
    await connection.execute(
        update(tasks)
        .where(tasks.c.id.in_(ids))
        .values(progress=value, updated_at=now, version=tasks.c.version + 1)
    )
