"""The counts that are read again and again while somebody looks: one statement for all of them."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import is_running, task_counts, tasks, workers
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.task import Status
from taskq_server.domain.worker import served_in

_place = (task_counts.c.namespace, task_counts.c.queue, task_counts.c.status)
_place_of_task = (tasks.c.namespace, tasks.c.queue, tasks.c.status)


class LiveCounts(NamedTuple):
    """The tasks of a namespace by queue and status, as in `history.Numbers`, and its workers."""

    tasks: dict[tuple[str, Status], int]
    workers: int


async def read(
    connection: AsyncConnection, now: datetime, namespaces: Collection[str]
) -> dict[str, LiveCounts]:
    """Return the counts of some namespaces, all of one moment; each has an answer.

    The cost is that of the ledger, of all running tasks and of all live workers.

    Args:
        connection: any.
        now: aware UTC; a worker is alive while its lease lasts.
        namespaces: of the tasks.
    """
    statement = union_all(
        select(*_place, func.sum(task_counts.c.amount), null())
        .where(task_counts.c.namespace.in_(namespaces))
        .group_by(*_place),
        # With a condition on the namespace, SQLite would read all tasks of that namespace.
        select(*_place_of_task, func.count(), null()).where(is_running).group_by(*_place_of_task),
        select(null(), null(), null(), func.count(), workers.c.namespaces)
        .where(workers.c.lease_until >= now)
        .group_by(workers.c.namespaces),
    )
    counted: dict[str, dict[tuple[str, Status], int]] = {each: {} for each in namespaces}
    alive = dict.fromkeys(namespaces, 0)
    for namespace, queue, status, amount, served in await connection.execute(statement):
        if status is None:
            for each in _served(served, namespaces):
                alive[each] += int(amount)  # sums and counts come as decimals from some databases
        elif namespace in counted:
            tasks_there, place = counted[namespace], (queue, status)
            tasks_there[place] = tasks_there.get(place, 0) + int(amount)
    return {each: LiveCounts(counted[each], alive[each]) for each in namespaces}


def _served(text: str | None, namespaces: Collection[str]) -> Collection[str]:
    """Return those of some namespaces that a worker with this text in its row serves."""
    served = served_in(text)
    return namespaces if ALL_NAMESPACES in served else served & set(namespaces)
