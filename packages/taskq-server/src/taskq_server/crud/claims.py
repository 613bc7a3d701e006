"""Claims of tasks, and the cancel requests and progress of claimed tasks."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from uuid import UUID

from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud import counts
from taskq_server.crud.prepared import IdListStatement, is_one_of_ids
from taskq_server.crud.tables import is_running, tasks
from taskq_server.crud.versioned import update_by_ids
from taskq_server.domain.counts import place
from taskq_server.domain.task import Status, Task

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
