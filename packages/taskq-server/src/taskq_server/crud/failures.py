"""The tasks that failed lately, and those that are retrying: along indexes, within a budget.

No index has the failed tasks of one namespace in the order of their ends. So the newest failures of
all namespaces are read, along the index of the ends of tasks. If these are too many, the newest
failed tasks of the namespace are read, too, along the index of its statuses. Only if both the
deployment and the namespace have more failures than are read, some are left out.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects import along_index
from taskq_server.core.turns import Pace
from taskq_server.crud.tables import attempts, tasks
from taskq_server.domain import limits
from taskq_server.domain.failures import FailedTask
from taskq_server.domain.task import Status

_AT_ONCE = 200
_READ_CHARACTERS = 2 * limits.FIRST_LINE_LENGTH  # the first line may follow empty ones

_scanned = select(
    *(tasks.c.id, tasks.c.namespace, tasks.c.status, tasks.c.handler),
    *(tasks.c.attempt, tasks.c.finished_at),
)
_by_end = along_index(_scanned, tasks, "ix_tasks_status_finished_at_worker_id")
_by_status = along_index(_scanned, tasks, "ix_tasks_namespace_status_id")


async def failures(
    connection: AsyncConnection, namespace: str, since: datetime, *, most: int, pace: Pace
) -> tuple[list[FailedTask], bool]:
    """Return tasks that failed for good since a moment, and tasks that are retrying.

    Args:
        connection: any.
        namespace: of the tasks.
        since: aware UTC.
        most: tasks to return, at most: those that failed last.
        pace: rests while the rows are made into tasks.

    Returns:
        The tasks, the newest failure first, and whether these are all.
    """
    failed, are_all_failed = await _failed(connection, namespace, since, most, pace)
    scan = _newest_with(namespace, Status.RETRYING, most)
    retrying = await _read(connection, scan, scan.c.namespace == namespace, pace)
    found = sorted([*failed, *retrying], key=lambda one: one.failed_at, reverse=True)
    return found[:most], are_all_failed and len(found) <= most


async def _failed(
    connection: AsyncConnection, namespace: str, since: datetime, most: int, pace: Pace
) -> tuple[list[FailedTask], bool]:
    lately = _by_end.where(tasks.c.status == Status.FAILED, tasks.c.finished_at >= since)
    scan = _cut(lately, tasks.c.finished_at, most)
    of_all = await _read(connection, scan, scan.c.namespace == namespace, pace)
    if await _is_complete(connection, scan, most):
        return of_all, True
    scan = _newest_with(namespace, Status.FAILED, most)
    of_namespace = await _read(connection, scan, scan.c.finished_at >= since, pace)
    if await _is_complete(connection, scan, most):
        return of_namespace, True
    return list({one.task_id: one for one in [*of_all, *of_namespace]}.values()), False


def _newest_with(namespace: str, status: Status, most: int) -> Subquery:
    these = _by_status.where(tasks.c.namespace == namespace, tasks.c.status == status)
    return _cut(these, tasks.c.id, most)


def _cut(these: Select[*tuple[object, ...]], by: ColumnElement[object], most: int) -> Subquery:
    return these.order_by(by.desc()).limit(most + 1).subquery("scan")


async def _is_complete(connection: AsyncConnection, scan: Subquery, most: int) -> bool:
    found = await connection.execute(select(func.count()).select_from(scan))
    return found.scalar_one() <= most


async def _read(
    connection: AsyncConnection, scan: Subquery, condition: ColumnElement[bool], pace: Pace
) -> list[FailedTask]:
    """Return what a scan finds under a condition, with the error of each task's last attempt."""
    is_last = and_(attempts.c.task_id == scan.c.id, attempts.c.attempt == scan.c.attempt)
    message = func.substr(attempts.c.error_message, 1, _READ_CHARACTERS)
    columns = (scan.c.id, scan.c.status, scan.c.handler, attempts.c.finished_at)
    rows = await connection.execute(
        select(*columns, attempts.c.error_type, message).join(attempts, is_last).where(condition)
    )
    found: list[FailedTask] = []
    for some in rows.partitions(_AT_ONCE):
        await pace.rest()
        found += map(FailedTask._make, some)
    return found
