"""The ledger of task counts. Each transaction appends rows, so that none waits for a row lock.

The sums of the ledger are exact, because tasks and counts are committed together. `compact` keeps
the ledger short, and moves what ended in minutes that are over into the history of minutes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud import minutes
from taskq_server.crud.prepared import BulkInsert
from taskq_server.crud.tables import IDS, is_running, task_counts, tasks
from taskq_server.domain.counts import (
    Entry,
    Place,
    changes,
    compacted,
    entries,
    entries_of_ends,
)
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import WAITING, Status

_place = (task_counts.c.namespace, task_counts.c.queue, task_counts.c.status)
_place_of_task = (tasks.c.namespace, tasks.c.queue, tasks.c.status)
_insert = BulkInsert(task_counts, once=False)
_entry = [task_counts.c[name] for name in Entry._fields]
_delete = delete(task_counts).where(task_counts.c.id.in_(IDS))
_totals = union_all(
    select(*_place, func.sum(task_counts.c.amount)).group_by(*_place),
    # With a condition on the namespace, SQLite would read all tasks of that namespace.
    select(*_place_of_task, func.count()).where(is_running).group_by(*_place_of_task),
)


_waiting = union_all(
    select(task_counts.c.namespace, func.sum(task_counts.c.amount))
    .where(task_counts.c.status.in_(WAITING))
    .group_by(task_counts.c.namespace),
    select(tasks.c.namespace, -func.count()).where(is_running).group_by(tasks.c.namespace),
)


class CompactionConflict(Exception):
    """Rows of the ledger are gone, because another process has compacted them meanwhile."""


async def move(
    connection: AsyncConnection, *, before: Iterable[Place] = (), after: Iterable[Place] = ()
) -> None:
    """Append the change of counts when tasks move between places, or are inserted or deleted."""
    await _append(connection, entries(changes(before=before, after=after)))


async def end(connection: AsyncConnection, ended: Iterable[AttemptEnded]) -> None:
    """Append the change of counts when attempts end, and when and how they ended."""
    await _append(connection, entries_of_ends(ended))


async def everywhere(connection: AsyncConnection) -> dict[str, dict[tuple[str, Status], int]]:
    """Return ledger sums and numbers of running tasks by queue and status, by namespace.

    They are those of one moment.
    """
    found: defaultdict[str, dict[tuple[str, Status], int]] = defaultdict(dict)
    for of, queue, status, amount in await connection.execute(_totals):
        found[of][queue, status] = int(amount)
    return found


async def waiting(connection: AsyncConnection) -> dict[str, int]:
    """Return the number of waiting tasks of each namespace that has any, at one moment."""
    found: Counter[str] = Counter()
    for of, amount in await connection.execute(_waiting):
        found[of] += int(amount)
    return found


async def compact(connection: AsyncConnection, *, limit: int, minute: int) -> bool:
    """Replace the oldest rows by their sums, if that makes the ledger much shorter.

    What ended in minutes that are over is added to the history of minutes in the same transaction
    that deletes its rows, so it is never added twice.

    Args:
        connection: READ COMMITTED or alone; rows that others append meanwhile stay as they are.
        limit: most rows to replace.
        minute: the present one.

    Returns:
        Whether rows were replaced and there may be more to replace.

    Raises:
        CompactionConflict: the transaction has to be rolled back.
    """
    oldest = select(task_counts.c.id, *_entry).order_by(task_counts.c.id)
    rows = (await connection.execute(oldest.limit(limit))).all()
    left, over = compacted((Entry._make(row[1:]) for row in rows), minute)
    more = len(rows) == limit
    worthwhile = len(rows) > 2 * len(left)
    # A full batch with little to sum up moves to the end, so that the next rows get their turn.
    if worthwhile or more or over:
        await replace(connection, [row.id for row in rows], left)
        await minutes.add(connection, over)
    return worthwhile and more


async def replace(connection: AsyncConnection, ids: Sequence[int], by: Sequence[Entry]) -> None:
    """Replace the rows with these ids by new rows.

    Raises:
        CompactionConflict: some of the rows are gone; the transaction has to be rolled back.
    """
    # Delete before inserting: two compactors that both inserted first would deadlock.
    deleted = await connection.execute(_delete, {"ids": ids})
    if deleted.rowcount != len(ids):
        raise CompactionConflict
    await _append(connection, by)


async def _append(connection: AsyncConnection, rows: Sequence[Entry]) -> None:
    await _insert(connection, Entry._fields, rows)
