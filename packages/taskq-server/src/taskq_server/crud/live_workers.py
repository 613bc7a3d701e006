"""The live workers, and what they run now."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects import along_index
from taskq_server.crud.tables import is_running, tasks, workers
from taskq_server.domain.worker import Load, RunningTask, WorkerRow

_FIELDS = [field.name for field in fields(WorkerRow)]
_SHOWN = RunningTask._fields[:-1]
_INDEX = "ix_tasks_status_finished_at_worker_id"


class Place(NamedTuple):
    """The place of a worker in the list: by the time of its start, and its id."""

    started_at: datetime
    id: UUID


async def places(connection: AsyncConnection, now: datetime) -> list[tuple[Place, str | None]]:
    """Return all workers with a valid lease, each with the namespaces in its row."""
    rows = await connection.execute(
        select(workers.c.started_at, workers.c.id, workers.c.namespaces).where(
            workers.c.lease_until >= now
        )
    )
    return [
        (Place(started_at, worker_id), namespaces) for started_at, worker_id, namespaces in rows
    ]


async def by_id(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, WorkerRow]:
    """Return the rows of some workers, by id."""
    columns = [workers.c[name] for name in _FIELDS]
    rows = await connection.execute(select(*columns).where(workers.c.id.in_(sorted(ids))))
    return {row.id: WorkerRow(**row._mapping) for row in rows}


async def loads(
    connection: AsyncConnection,
    worker_ids: Collection[UUID],
    *,
    namespace: str | None,
    submitted_by: str | None,
    most: int,
) -> dict[UUID, Load]:
    """Return what some workers run now; a worker that runs nothing is left out.

    The cost is that of all that these workers run.

    Args:
        connection: any.
        worker_ids: of the workers.
        namespace: of the tasks; None for those of all.
        submitted_by: the key that has submitted the tasks; None for those of all.
        most: tasks of one worker to return, those that have run longest.
    """
    seen = [is_running, tasks.c.worker_id.in_(sorted(worker_ids))]
    if namespace is not None:
        seen.append(tasks.c.namespace == namespace)
    if submitted_by is not None:
        seen.append(tasks.c.submitted_by == submitted_by)
    ranked = _ranked(seen).subquery()
    rows = await connection.execute(
        select(ranked).where(ranked.c.place <= most).order_by(ranked.c.place)
    )
    running: defaultdict[UUID, list[RunningTask]] = defaultdict(list)
    amounts: dict[UUID, tuple[int, int]] = {}
    for worker_id, _, amount, of_them_quarantined, *shown, lost_count in rows:
        running[worker_id].append(RunningTask._make((*shown, lost_count > 0)))
        amounts[worker_id] = amount, int(of_them_quarantined)
    return {each: Load(tuple(running[each]), *amounts[each]) for each in running}


def _ranked(seen: Collection[ColumnElement[bool]]) -> Select[Any]:
    """Select running tasks, each with its place among those of its worker, and their numbers."""
    of_worker = tasks.c.worker_id
    is_quarantined = case((tasks.c.lost_count > 0, 1), else_=0)
    place = func.row_number().over(
        partition_by=of_worker, order_by=(tasks.c.started_at, tasks.c.id)
    )
    statement = select(
        of_worker,
        place.label("place"),
        func.count().over(partition_by=of_worker).label("amount"),
        func.sum(is_quarantined).over(partition_by=of_worker).label("quarantined"),
        *(tasks.c[name] for name in (*_SHOWN, "lost_count")),
    )
    return along_index(statement.where(*seen), tasks, _INDEX)
