"""The due time of the oldest due task of each queue, at a bounded cost.

A lane is one range of the index: a queue, a handler, and a priority. A few lanes are queried one by
one. Of many lanes most do not exist, so the database skips from lane to lane in the index (a loose
index scan) and reads one entry of each.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.due import ends_of_due
from taskq_server.crud.prepared import UnionStatement
from taskq_server.crud.tables import tasks
from taskq_server.domain.task import Priority, due_at

MOST_ASKED = 100
"""Most lanes that are queried one by one, because they fit into one statement."""

MOST_LEAPS = 10_000
"""Most lanes that are read of queues without workers."""

MOST_LISTENED = 500
"""Most queues with workers; all lanes of these are read."""

_Lane = tuple[str, str, Priority]

_lane = (tasks.c.queue, tasks.c.handler, tasks.c.priority)
_head = (
    select(*_lane, tasks.c.score)
    .where(
        tasks.c.namespace == bindparam("of_namespace"),
        tasks.c.queue == bindparam("in_queue"),
        tasks.c.handler == bindparam("for_handler"),
        tasks.c.priority == bindparam("at_priority"),
        tasks.c.score < bindparam("below"),
    )
    .order_by(tasks.c.score)
    .limit(1)
)
_heads = UnionStatement(select(_head.subquery()), tuple)
# The namespace is grouped by, too, because the groups are then a prefix of the index.
_lowest = (
    select(*_lane, func.min(tasks.c.score))
    .where(tasks.c.namespace == bindparam("of_namespace"))
    .group_by(tasks.c.namespace, *_lane)
    .order_by(tasks.c.namespace, *_lane)
)
_lowest_of = _lowest.where(tasks.c.queue.in_(bindparam("queues", expanding=True)))
_lowest_of_first = _lowest.limit(MOST_LEAPS)


async def oldest(
    connection: AsyncConnection,
    *,
    namespace: str,
    queues: Sequence[str],
    handlers: Sequence[str],
    now: datetime,
    listened: Collection[str] = (),
) -> dict[str, datetime]:
    """Return the due time of the oldest due task, for each queue that has a due task.

    All queues are read if they have at most `MOST_ASKED` lanes. Otherwise, the queues that workers
    listen to are read, up to `MOST_LISTENED`, and others by name, up to `MOST_LEAPS` lanes. The
    returned times are exact.

    Args:
        connection: any.
        namespace: the namespace of the tasks.
        queues: queues with waiting tasks.
        handlers: all handlers that tasks may name.
        now: aware UTC.
        listened: queues that workers listen to.
    """
    ends = ends_of_due(now)
    if len(queues) * len(handlers) * len(ends) <= MOST_ASKED:
        asked = [(queue, handler, one) for queue in queues for handler in handlers for one in ends]
        return await _ask(connection, namespace, asked, ends)
    found = await _leap(connection, namespace, queues, listened)
    return _since((lane, score) for lane, score in found.items() if score < ends[lane[2]])


async def _leap(
    connection: AsyncConnection, namespace: str, queues: Sequence[str], listened: Collection[str]
) -> dict[_Lane, int]:
    """Return the lowest score of each lane that has a task; a queue has all its lanes or none."""
    first = sorted(set(queues) & set(listened))[:MOST_LISTENED]
    given = {"of_namespace": namespace}
    of_first = {**given, "queues": first}
    rows = (await connection.execute(_lowest_of, of_first)).all() if first else []
    if len(first) < len(queues):
        others = (await connection.execute(_lowest_of_first, given)).all()
        # The last queue may be cut in two.
        cut = others[-1][0] if len(others) == MOST_LEAPS else None
        rows = [*rows, *(row for row in others if row[0] != cut)]
    wanted = set(queues)
    return {
        (queue, handler, priority): lowest
        for queue, handler, priority, lowest in rows
        if lowest is not None and queue in wanted
    }


async def _ask(
    connection: AsyncConnection,
    namespace: str,
    lanes: Iterable[_Lane],
    ends: Mapping[Priority, int],
) -> dict[str, datetime]:
    ranges = [
        {
            "of_namespace": namespace,
            "in_queue": queue,
            "for_handler": handler,
            "at_priority": priority,
            "below": ends[priority],
        }
        for queue, handler, priority in lanes
    ]
    heads = await _heads(connection, ranges)
    return _since(((queue, handler, of), lowest) for queue, handler, of, lowest in heads)


def _since(heads: Iterable[tuple[_Lane, int]]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for (queue, _, priority), lowest in heads:
        since = due_at(lowest, priority)
        found[queue] = min(since, found.get(queue, since))
    return found
