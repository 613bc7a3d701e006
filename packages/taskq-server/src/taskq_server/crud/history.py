"""The history of minutes, as it is read.

What has just ended is still in the ledger, until it is compacted. A reader takes both from one
statement, and so finds each entry at one of the two places, whoever compacts meanwhile.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.dialects import along_index
from taskq_server.crud.tables import task_counts, task_minutes
from taskq_server.domain.minutes import NO_ENDS, RAN, Ends
from taskq_server.domain.task import ERRORS, Outcome, Queue

_of, _in_ledger = task_minutes.c, task_counts.c
_failed = _of.failed + _of.timed_out + _of.lost
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


async def ended_since(
    connection: AsyncConnection, namespaces: Collection[str], first: int
) -> dict[Queue, Ends]:
    """Return the attempts that have run to their end since a minute, in each queue that had any."""
    old = (
        select(
            *(_of.namespace, _of.queue),
            *(func.sum(_of.succeeded + _failed), func.sum(_of.run_milliseconds)),
        )
        .where(_of.namespace.in_(namespaces), _of.minute >= first)
        .group_by(_of.namespace, _of.queue)
    )
    new = (
        select(
            *(_in_ledger.namespace, _in_ledger.queue),
            *(_sum(_in_ledger.amount, RAN), _sum(_in_ledger.run_milliseconds, RAN)),
        )
        .where(_in_ledger.namespace.in_(namespaces), _in_ledger.minute >= first)
        .group_by(_in_ledger.namespace, _in_ledger.queue)
    )
    found: dict[Queue, Ends] = {}
    for namespace, queue, number, run in await connection.execute(union_all(old, new)):
        of = Queue(namespace, queue)
        found[of] = found.get(of, NO_ENDS).plus(int(number), int(run))
    return found
