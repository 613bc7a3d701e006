"""The final tasks that are past retention. A sweep follows an index, however many are kept."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.ranges import lowest
from taskq_server.crud.tables import tasks
from taskq_server.domain.task import FINAL

_oldest = union_all(
    *(select(func.min(tasks.c.finished_at)).where(tasks.c.status == each) for each in sorted(FINAL))
)
_oldest_finished = select(func.min(_oldest.subquery().c[0]))


async def oldest_finished(connection: AsyncConnection) -> datetime | None:
    """Return when the final task finished that finished first; None if no task is final."""
    found: datetime | None = (await connection.execute(_oldest_finished)).scalar_one()
    return found


async def expired(connection: AsyncConnection, *, before: datetime, limit: int) -> list[UUID]:
    """Return final tasks that finished before `before`, oldest first."""
    ranges = [
        select(tasks.c.id, tasks.c.finished_at).where(
            tasks.c.status == status, tasks.c.finished_at < before
        )
        for status in sorted(FINAL)
    ]
    return [row.id for row in await lowest(connection, ranges, "finished_at", limit)]
