"""The names of queues and tags in use. A name is in use if a task of any status has it."""

from collections.abc import Collection
from operator import itemgetter
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.prepared import UnionStatement
from taskq_server.crud.tables import tags, task_counts, tasks
from taskq_server.crud.tags import is_linked, pieces

_first_of_queue = (
    select(tasks.c.queue)
    .where(
        tasks.c.namespace == bindparam("of_namespace"),
        tasks.c.queue == bindparam("in_queue"),
    )
    .limit(1)
)
_firsts_of_queues = UnionStatement(select(_first_of_queue.subquery()), itemgetter(0))


async def queues(
    connection: AsyncConnection, namespace: str, names: Collection[str]
) -> Collection[str]:
    """Return the queues of `names` that are in use, with one index look-up for each."""
    asked = [{"of_namespace": namespace, "in_queue": name} for name in names]
    return set(await _firsts_of_queues(connection, asked))


async def other_queues(
    connection: AsyncConnection, namespace: str, names: Collection[str], enough: int, most: int
) -> int:
    """Return from the ledger how many queues besides `names` are in use, capped at `most`."""
    used = (
        select(task_counts.c.queue)
        .where(task_counts.c.namespace == namespace, task_counts.c.queue.not_in(names))
        .group_by(task_counts.c.queue)
        .having(func.sum(task_counts.c.amount) > 0)
    )
    return await _count(connection, used, most)


async def named_tags(
    connection: AsyncConnection, namespace: str, names: Collection[str]
) -> Collection[str]:
    """Return the tags of `names` that are in use, with one index look-up for each."""
    found: set[str] = set()
    for some in pieces(names):
        rows = await connection.execute(
            select(tags.c.name).where(
                tags.c.namespace == namespace,
                tags.c.name.in_(some),
                is_linked,
            )
        )
        found.update(rows.scalars())
    return found


async def other_tags(
    connection: AsyncConnection, namespace: str, names: Collection[str], enough: int, most: int
) -> int:
    """Return how many tags besides `names` are in use, capped at `most`.

    Each tag costs a look-up of its tasks. If there are no more than `enough` tags at all, all of
    them count without look-ups.
    """
    there = select(tags.c.id).where(tags.c.namespace == namespace)
    amount = await _count(connection, there, enough + 1)
    if amount <= enough:
        return amount
    return await _count(connection, there.where(tags.c.name.not_in(names), is_linked), most)


async def _count(connection: AsyncConnection, rows: Select[Any], most: int) -> int:
    found = await connection.execute(select(func.count()).select_from(rows.limit(most).subquery()))
    return found.scalar_one()
