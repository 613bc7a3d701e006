"""Tags by name, and the removal of tags without tasks.

`idle_since` is when a task last lost the tag, or the tag's creation. A transaction that takes a tag
from a task writes `idle_since`; linking writes nothing. So a tag whose `idle_since` is null has
tasks, and the janitor checks the others.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.pairs import Named, is_one_of
from taskq_server.crud.prepared import BulkInsert
from taskq_server.crud.tables import IDS, tags, task_tags
from taskq_server.models.tag import UNKNOWN

PRECISION = timedelta(minutes=1)
"""A task may have lost the tag so long after `idle_since`, because not each loss is written."""

_UNKNOWN = datetime.fromisoformat(UNKNOWN).replace(tzinfo=UTC)
_TOGETHER = 1_000

T = TypeVar("T", int, str, Named)


class TagGone(Exception):
    """A tag to be linked has been deleted since its id was read; roll back and resolve it anew."""


# The database may turn EXISTS into a join that reads all links.
_link = select(task_tags.c.task_id).where(task_tags.c.tag_id == tags.c.id).limit(1)
is_linked = _link.scalar_subquery().is_not(None)

_insert_once = BulkInsert(tags, once=True)
_insert_links = BulkInsert(task_tags, once=True)
_hold = select(tags.c.id).where(tags.c.id.in_(IDS)).order_by(tags.c.id).with_for_update(read=True)
_to_mark = (
    select(tags.c.id)
    .distinct()
    .join(task_tags, task_tags.c.tag_id == tags.c.id)
    .where(or_(tags.c.idle_since.is_(None), tags.c.idle_since < bindparam("long_ago")))
)
_to_mark_of = _to_mark.where(task_tags.c.task_id.in_(IDS))


async def find(connection: AsyncConnection, names: Iterable[Named]) -> dict[Named, int]:
    """Return the ids of the tags that exist, by namespace and name."""
    found: dict[Named, int] = {}
    for some in pieces(set(names)):
        is_wanted = is_one_of(tags.c.namespace, tags.c.name, some)
        rows = await connection.execute(
            select(tags.c.namespace, tags.c.name, tags.c.id).where(is_wanted)
        )
        found.update({(row.namespace, row.name): row.id for row in rows})
    return found


async def add(connection: AsyncConnection, names: Iterable[Named], now: datetime) -> None:
    """Insert the missing tags; a new tag is idle until a task has it."""
    rows = [(namespace, name, now) for namespace, name in sorted(set(names))]
    await _insert_once(connection, ("namespace", "name", "idle_since"), rows)


async def link(connection: AsyncConnection, links: Collection[tuple[UUID, int]]) -> None:
    """Link tasks that this transaction has locked, or inserted, to the ids of tags.

    The shared locks keep the tags until the end of the transaction, as `forget` needs its own.

    Raises:
        TagGone: a tag is gone.
    """
    for some in pieces({tag_id for _, tag_id in links}):
        there = await connection.execute(_hold, {"ids": some})
        if len(there.all()) < len(some):
            raise TagGone
    await _insert_links(connection, ("task_id", "tag_id"), sorted(links))


async def mark_idle(connection: AsyncConnection, task_ids: Collection[UUID], now: datetime) -> None:
    """Set `idle_since` of all tags of these tasks, which are about to lose them."""
    values = {"ids": sorted(task_ids), "long_ago": now - PRECISION}
    found = (await connection.execute(_to_mark_of, values)).scalars().all()
    await _set(connection, found, now)


async def mark_idle_where(
    connection: AsyncConnection, are_lost: ColumnElement[bool], now: datetime
) -> None:
    """Set `idle_since` of all tags of the links that a condition finds, which are about to go."""
    values = {"long_ago": now - PRECISION}
    found = (await connection.execute(_to_mark.where(are_lost), values)).scalars().all()
    await _set(connection, found, now)


async def idle(connection: AsyncConnection, *, before: datetime, limit: int) -> Sequence[int]:
    """Return tags that may have been without tasks since `before`, longest idle first."""
    rows = await connection.execute(
        select(tags.c.id).where(tags.c.idle_since < before).order_by(tags.c.idle_since).limit(limit)
    )
    return rows.scalars().all()


async def forget(
    connection: AsyncConnection, ids: Sequence[int], *, before: datetime, now: datetime
) -> None:
    """Delete the tags of `ids` that have been without tasks since `before`.

    The tags are locked first, so that no task can link one meanwhile and earlier links are visible.
    """
    candidates = select(tags.c.id, tags.c.idle_since).where(
        tags.c.id.in_(ids), tags.c.idle_since < before
    )
    locking = candidates.order_by(tags.c.id).with_for_update()
    since = {row.id: row.idle_since for row in await connection.execute(locking)}
    linked = await connection.execute(select(tags.c.id).where(tags.c.id.in_(since), is_linked))
    in_use = set(linked.scalars())
    unknown = {one for one, at in since.items() if at <= _UNKNOWN} - in_use
    gone = since.keys() - in_use - unknown
    await _set(connection, in_use, None)
    await _set(connection, unknown, now)
    if gone:
        await connection.execute(delete(tags).where(tags.c.id.in_(sorted(gone))))


async def _set(
    connection: AsyncConnection, ids: Collection[int], idle_since: datetime | None
) -> None:
    for some in pieces(ids):
        which = tags.c.id.in_(some)
        await connection.execute(update(tags).where(which).values(idle_since=idle_since))


def pieces(values: Collection[T]) -> Iterator[list[T]]:
    """Yield the values in ascending order, in lists of a size that fits one statement."""
    ordered = sorted(values)
    for start in range(0, len(ordered), _TOGETHER):
        yield ordered[start : start + _TOGETHER]


async def counts(
    connection: AsyncConnection, namespaces: Collection[str]
) -> dict[str, list[tuple[str, int]]]:
    """Return for each namespace every tag in use with its number of tasks, by name."""
    rows = await connection.execute(
        select(tags.c.namespace, tags.c.name, func.count().label("tasks"))
        .join(task_tags, task_tags.c.tag_id == tags.c.id)
        .where(tags.c.namespace.in_(namespaces))
        .group_by(tags.c.namespace, tags.c.name)
        .order_by(tags.c.namespace, tags.c.name)
    )
    found: dict[str, list[tuple[str, int]]] = {namespace: [] for namespace in namespaces}
    for row in rows:
        found[row.namespace].append((row.name, row.tasks))
    return found
