"""The history of minutes, as it is read.

What has just ended is still in the ledger, until it is compacted. A reader takes both from one
statement, and so finds each entry at one of the two places, whoever compacts meanwhile.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, literal, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects import along_index
from taskq_server.crud.tables import is_running, task_counts, task_minutes, tasks
from taskq_server.domain.minutes import NO_ENDS, RAN, Ends
from taskq_server.domain.task import ERRORS, Outcome, Status

_of, _in_ledger = task_minutes.c, task_counts.c
_failed = _of.failed + _of.timed_out + _of.lost
_place = (_in_ledger.namespace, _in_ledger.queue, _in_ledger.status)
_place_of_task = (tasks.c.namespace, tasks.c.queue, tasks.c.status)
_BY_QUEUE = "ix_task_minutes_namespace_queue_minute"


class Lived(NamedTuple):
    """A queue in a minute: the attempts that succeeded and failed, and what was measured.

    An empty name stands for the whole deployment: such a row tells that somebody has measured.
    """

    minute: int
    queue: str
    succeeded: int
    failed: int
    run_milliseconds: int
    depth: int | None
    running: int | None
    oldest_age_seconds: float | None


class Numbers(NamedTuple):
    """The numbers of one namespace: of tasks by queue and status, and of what ended by queue.

    A running task counts as running, and as queued, too, as it does in the ledger.
    """

    tasks: dict[tuple[str, Status], int]
    ended: dict[str, Ends]


def _sum(column: ColumnElement[int], outcomes: Collection[Outcome]) -> ColumnElement[int]:
    counts = _in_ledger.outcome.in_(sorted(outcomes))
    return func.sum(case((counts, column), else_=0))


async def lived(
    connection: AsyncConnection, namespace: str, *, first: int, queue: str | None, most: int
) -> list[Lived]:
    """Return what happened in the queues of a namespace; a queue may have two rows in a minute.

    Args:
        connection: any.
        namespace: of the queues.
        first: the first minute.
        queue: the only queue; None stands for all.
        most: rows to return, at most, besides those of the ledger and of the deployment: the newest
            minutes, of which the last may not be complete.
    """
    old = select(
        *(_of.minute, _of.queue, _of.succeeded, _failed.label("failed"), _of.run_milliseconds),
        *(_of.depth, _of.running, _of.oldest_age_seconds),
    ).where(_of.minute >= first)
    kept = old.where(_of.namespace == namespace)
    new = (
        select(
            *(_in_ledger.minute, _in_ledger.queue),
            *(_sum(_in_ledger.amount, [Outcome.SUCCEEDED]), _sum(_in_ledger.amount, ERRORS)),
            *(_sum(_in_ledger.run_milliseconds, RAN), null(), null(), null()),
        )
        .where(_in_ledger.namespace == namespace, _in_ledger.minute >= first)
        .group_by(_in_ledger.minute, _in_ledger.queue)
    )
    if queue is not None:
        kept = along_index(kept, task_minutes, _BY_QUEUE).where(_of.queue == queue)
        new = new.where(_in_ledger.queue == queue)
    newest = kept.order_by(_of.minute.desc()).limit(most).subquery()
    of_deployment = old.where(_of.namespace == "", _of.depth.is_not(None))
    rows = await connection.execute(union_all(select(newest), of_deployment, new))
    # Sums come as decimals from some databases.
    return [Lived(row[0], row[1], *map(int, row[2:5]), *row[5:]) for row in rows]


async def numbers(
    connection: AsyncConnection, namespaces: Collection[str], first: int
) -> dict[str, Numbers]:
    """Return what is in the queues of some namespaces, and what has ended in them lately.

    They are those of one moment, and the ledger is read once for both.

    Args:
        connection: any.
        namespaces: of the queues; each has an answer.
        first: the first minute of what has ended.
    """
    nothing = literal(0)
    statement = union_all(
        select(*_place, func.sum(_in_ledger.amount), *_ended_since(first))
        .where(_in_ledger.namespace.in_(namespaces))
        .group_by(*_place),
        # With a condition on the namespace, SQLite would read all tasks of that namespace.
        select(*_place_of_task, func.count(), nothing, nothing)
        .where(is_running)
        .group_by(*_place_of_task),
        select(
            *(_of.namespace, _of.queue, null(), nothing),
            *(func.sum(_of.succeeded + _failed), func.sum(_of.run_milliseconds)),
        )
        .where(_of.namespace.in_(namespaces), _of.minute >= first)
        .group_by(_of.namespace, _of.queue),
    )
    found = {namespace: Numbers({}, {}) for namespace in namespaces}
    for namespace, queue, status, tasks_there, ended, run in await connection.execute(statement):
        if namespace not in found:
            continue
        counted, ends = found[namespace]
        if status is not None:
            place = queue, status
            counted[place] = counted.get(place, 0) + int(tasks_there)
        ends[queue] = ends.get(queue, NO_ENDS).plus(int(ended), int(run))
    return found


def _ended_since(first: int) -> Iterator[ColumnElement[int]]:
    """Yield how many attempts of the ledger ended since a minute, and how long they ran."""
    lately = and_(_in_ledger.minute >= first, _in_ledger.outcome.in_(sorted(RAN)))
    for column in (_in_ledger.amount, _in_ledger.run_milliseconds):
        yield func.sum(case((lately, column), else_=0))
