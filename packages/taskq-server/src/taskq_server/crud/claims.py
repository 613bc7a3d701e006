"""Claims of tasks, and the cancel requests and progress of claimed tasks."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud import counts
from taskq_server.crud.prepared import IdListStatement, is_one_of_ids
from taskq_server.crud.tables import is_running, namespaces, queues, tasks, whole_task
from taskq_server.crud.versioned import update_by_ids
from taskq_server.domain.counts import place
from taskq_server.domain.task import Status, Task

_queue = queues.c
_state = case((_queue.paused_at.is_(None), literal_column("0")), else_=literal_column("1"))
_of_its_queue = (
    select(_state)
    .where(_queue.namespace == tasks.c.namespace, _queue.name == tasks.c.queue)
    .correlate(tasks)
    .with_for_update(read=True)
    .scalar_subquery()
)
# Shared locks make the statement see what is committed by now, and not what was when it began, and
# make a pause wait for the claim. A queue that nobody has paused has no row to lock, so the row of
# its namespace is locked first: who makes the row of a queue locks that one alone.
_is_paused = (
    select(func.coalesce(_of_its_queue, literal_column("0")))
    .where(namespaces.c.name == tasks.c.namespace)
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
    """Lock tasks to claim them, so that no pause of their queues is answered before the commit.

    Args:
        connection: of a transaction.
        ids: in any order.

    Returns:
        The tasks, by id, and the ids of those whose queue is paused.
    """
    rows = await _lock(connection, ids)
    return {task.id: task for task, _ in rows}, {task.id for task, is_paused in rows if is_paused}


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
