"""Which waiting tasks may run: for the janitor, and for workers while Redis is away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import tasks
from taskq_server.domain.task import FINAL


@dataclass(frozen=True, slots=True)
class Due:
    """A task that may run now."""

    task_id: UUID
    attempt: int
    score: int


async def due(
    connection: AsyncConnection,
    *,
    queue: str,
    handlers: Sequence[str],
    now: datetime,
    limit: int,
    below: int | None = None,
    untouched_since: datetime | None = None,
) -> list[Due]:
    """Return due tasks of a queue, lowest score first.

    Args:
        connection: any.
        queue: one lane.
        handlers: what the asking worker can run; other tasks are not its business.
        now: aware UTC.
        limit: rows, at most.
        below: only scores lower than this.
        untouched_since: only tasks that did not change since this time.
    """
    statement = (
        select(tasks.c.id, tasks.c.attempt, tasks.c.score)
        .where(
            tasks.c.queue == queue,
            tasks.c.score <= int(now.timestamp() * 1000),
            tasks.c.handler.in_(handlers),
            or_(tasks.c.run_at.is_(None), tasks.c.run_at <= now),
        )
        .order_by(tasks.c.score)
        .limit(limit)
    )
    if below is not None:
        statement = statement.where(tasks.c.score < below)
    if untouched_since is not None:
        statement = statement.where(tasks.c.updated_at < untouched_since)
    rows = await connection.execute(statement)
    return [Due(row.id, row.attempt, row.score) for row in rows]


async def expired(connection: AsyncConnection, *, before: datetime, limit: int) -> list[UUID]:
    """Return final tasks that ended before `before`, oldest ids first."""
    rows = await connection.execute(
        select(tasks.c.id)
        .where(tasks.c.status.in_(sorted(FINAL)), tasks.c.finished_at < before)
        .order_by(tasks.c.id)
        .limit(limit)
    )
    return list(rows.scalars())
