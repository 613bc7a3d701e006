"""The waiting tasks that may run. A sweep follows an index, however many tasks are queued."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.ranges import lowest
from taskq_server.crud.tables import queues, tasks
from taskq_server.domain.task import MAX_LOST, Due, Priority, score


async def due(
    connection: AsyncConnection,
    *,
    namespace: str,
    queue: str,
    handlers: Sequence[str],
    now: datetime,
    limit: int,
    last_chance: bool = True,
    below: int | None = None,
    untouched_since: datetime | None = None,
) -> list[Due] | None:
    """Return due tasks of a queue, lowest score first; None if the queue is paused.

    Args:
        connection: any.
        namespace: the namespace of the tasks.
        queue: the queue's name.
        handlers: the handlers of the asking worker; other tasks are left out.
        now: aware UTC.
        limit: most rows to return.
        last_chance: whether to return tasks that need a quarantine process, too.
        below: only scores lower than this.
        untouched_since: only tasks that did not change since this time.
    """
    ends = ends_of_due(now)
    if below is not None:
        ends = {one: min(end, below) for one, end in ends.items()}
    of_queue = and_(tasks.c.namespace == namespace, tasks.c.queue == queue)
    is_paused = select(queues.c.name).where(
        queues.c.namespace == namespace, queues.c.name == queue, queues.c.paused_at.is_not(None)
    )
    some = _some(of_queue, handlers, max(ends.values()))
    looked = select(is_paused.scalar_subquery(), some.scalar_subquery())
    paused, any_due = (await connection.execute(looked)).one()
    if paused is not None:
        return None
    if any_due is None:
        return []
    may_run = select(tasks.c.id, tasks.c.attempt, tasks.c.score).where(
        of_queue, or_(tasks.c.run_at.is_(None), tasks.c.run_at <= now)
    )
    if not last_chance:
        may_run = may_run.where(tasks.c.lost_count < MAX_LOST - 1)
    if untouched_since is not None:
        may_run = may_run.where(tasks.c.updated_at < untouched_since)
    ranges = [
        may_run.where(tasks.c.handler == handler, tasks.c.priority == priority, tasks.c.score < end)
        for handler in sorted(handlers)
        for priority, end in ends.items()
    ]
    rows = await lowest(connection, ranges, "score", limit)
    return [Due(row.id, row.attempt, namespace, queue, row.score) for row in rows]


def ends_of_due(now: datetime) -> dict[Priority, int]:
    """Return for each priority the score below which its tasks are due.

    A priority lowers the score, so a task of the near future may also score below the present time.
    """
    return {one: score(now, one) + 1 for one in Priority}


def _some(
    of_queue: ColumnElement[bool], handlers: Sequence[str], below: int
) -> Select[tuple[UUID]]:
    """Select any task that scores that low, from the index alone.

    Most sweeps find none, and need not read the many ranges.
    """
    one = select(tasks.c.id).where(
        of_queue,
        tasks.c.handler.in_(sorted(handlers)),
        tasks.c.priority.in_(list(Priority)),
        tasks.c.score < below,
    )
    return one.limit(1)
