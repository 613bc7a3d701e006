"""The workers that have ended, whose rows stay as long as attempts name them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import attempts, is_running, tasks, workers
from taskq_server.domain.ids import first_id_of

BUDGET = 2_000
"""Attempts of old tasks that one look reads."""


async def idle(connection: AsyncConnection, *, before: datetime, limit: int) -> list[UUID]:
    """Return workers whose lease ended before `before` and that hold no task any more.

    Args:
        connection: any.
        before: aware UTC.
        limit: most workers to return, those that ended first.
    """
    # A scalar subquery: a database may answer EXISTS by reading all running tasks at once.
    held = select(tasks.c.id).where(is_running, tasks.c.worker_id == workers.c.id).limit(1)
    holds_nothing = held.correlate(workers).scalar_subquery().is_(None)
    rows = await connection.execute(
        select(workers.c.id)
        .where(workers.c.lease_until < before, holds_nothing)
        .order_by(workers.c.lease_until)
        .limit(limit)
    )
    return list(rows.scalars())


async def named(connection: AsyncConnection, *, created_before: datetime) -> set[UUID] | None:
    """Return the workers that attempts of old tasks name; None if these are too many to read.

    No index finds the attempts of a worker. But its tasks were created before it ended, and of
    these only those are left that ended late, or have not ended. Ids of tasks are in the order of
    their creation, so their attempts are the first ones in the table.

    Args:
        connection: any.
        created_before: the tasks were created before that, aware UTC.
    """
    old = (
        select(attempts.c.worker_id)
        .where(attempts.c.task_id < first_id_of(created_before))
        .order_by(attempts.c.task_id)
        .limit(BUDGET)
        .subquery()
    )
    rows = await connection.execute(select(old.c.worker_id, func.count()).group_by(old.c.worker_id))
    found = {worker_id: amount for worker_id, amount in rows}
    if sum(found.values()) >= BUDGET:
        return None
    return {worker_id for worker_id in found if worker_id is not None}


async def forget(connection: AsyncConnection, ids: Collection[UUID]) -> None:
    """Delete workers."""
    await connection.execute(delete(workers).where(workers.c.id.in_(sorted(ids))))
