"""Unique keys: which tasks hold them, and which keys tasks have.

Only tasks whose ids are marked can have one, so that nothing here costs others a statement.

Whoever locks both locks keys first, in their order, and tasks after that, so that no two wait for
each other. A key's lock also says that its holder does not end before the commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.pairs import Named, is_one_of
from taskq_server.crud.prepared import BulkInsert, IdListStatement, is_one_of_ids
from taskq_server.crud.tables import IDS, task_unique_keys, tasks, unique_keys
from taskq_server.domain.ids import Mark, is_marked
from taskq_server.domain.task import Status
from taskq_server.domain.unique import Holder, hash_of

_insert = BulkInsert(unique_keys, once=True)
_insert_texts = BulkInsert(task_unique_keys, once=True)
_held = IdListStatement(
    select(unique_keys.c.namespace, unique_keys.c.hash).where(is_one_of_ids(unique_keys.c.task_id)),
    tuple,
)
_texts = IdListStatement(
    select(task_unique_keys.c.task_id, task_unique_keys.c.unique_key).where(
        is_one_of_ids(task_unique_keys.c.task_id)
    ),
    tuple,
)
_holders = select(
    unique_keys.c.namespace, unique_keys.c.hash, unique_keys.c.task_id, tasks.c.status
).outerjoin_from(unique_keys, tasks, tasks.c.id == unique_keys.c.task_id)
_in_order = (unique_keys.c.namespace, unique_keys.c.hash)


class Claim(NamedTuple):
    """A key that a task wants to hold."""

    namespace: str
    hash: str
    task_id: UUID

    @property
    def key(self) -> Named:
        """The namespace and the hash."""
        return self.namespace, self.hash


async def take(connection: AsyncConnection, claims: Sequence[Claim]) -> dict[UUID, Holder]:
    """Take keys that are free, and lock them all until the end of the transaction.

    Of several claims of one key the first one counts. A holder that has ended, or is gone, has lost
    its key: somebody has ended it who knows of no keys, such as a worker of an older release.

    Args:
        connection: of a transaction that has locked no tasks.
        claims: in any order.

    Returns:
        By the id of the task that claims it: who holds a key already. A task of another claim that
        is not stored yet counts as queued.
    """
    first: dict[Named, Claim] = {}
    for claim in claims:
        first.setdefault(claim.key, claim)
    wanted = [first[key] for key in sorted(first)]
    own = {claim.task_id for claim in claims}
    await _insert(connection, Claim._fields, wanted)
    holders = await _read(connection, first)
    ended = [one.task_id for one in holders.values() if _has_ended(one, own)]
    if ended:
        await connection.execute(
            delete(unique_keys).where(unique_keys.c.task_id.in_(IDS)), {"ids": sorted(ended)}
        )
        await _insert(connection, Claim._fields, wanted)
        holders = await _read(connection, first)
    return {
        claim.task_id: Holder(holders[claim.key].task_id, holders[claim.key].status)
        for claim in claims
        if holders[claim.key].task_id != claim.task_id
    }


async def retake(
    connection: AsyncConnection, namespace: str, ids: Iterable[UUID]
) -> dict[UUID, Holder]:
    """Take the keys of tasks again that wait from now on; the first one of a key gets it.

    Args:
        connection: of a transaction that has locked no tasks.
        namespace: of the tasks.
        ids: in any order; tasks without a key are none of it.

    Returns:
        Who holds the key of each task that does not get it.
    """
    found = await texts(connection, ids)
    claims = [Claim(namespace, hash_of(found[one]), one) for one in sorted(found)]
    return await take(connection, claims) if claims else {}


async def held_among(connection: AsyncConnection, keys: Iterable[Named]) -> set[Named]:
    """Return those of some keys that are held, by namespace and hash."""
    wanted = set(keys)
    return set(await _read(connection, wanted)) if wanted else set()


async def lock(connection: AsyncConnection, ids: Iterable[UUID]) -> None:
    """Lock the keys that some tasks hold, to lock or change the tasks after that.

    Args:
        connection: of a transaction that has locked no tasks.
        ids: in any order.
    """
    held = await _of(connection, ids)
    if held:
        found = select(unique_keys.c.hash).where(_is_one_of(held))
        await connection.execute(found.order_by(*_in_order).with_for_update())


async def release(connection: AsyncConnection, ids: Iterable[UUID]) -> None:
    """Free the keys of tasks that end, or are deleted."""
    ended = _marked(ids)
    held = await _of(connection, ended)
    if held:
        await connection.execute(
            delete(unique_keys).where(_is_one_of(held), unique_keys.c.task_id.in_(IDS)),
            {"ids": ended},
        )


async def insert_texts(connection: AsyncConnection, given: Sequence[tuple[UUID, str]]) -> None:
    """Store the keys of new tasks as they were written; without any, nothing."""
    await _insert_texts(connection, ("task_id", "unique_key"), given)


async def texts(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the keys of those of some tasks that have one, as they were written."""
    wanted = _marked(ids)
    return dict(await _texts(connection, wanted)) if wanted else {}


async def forget(connection: AsyncConnection, ids: Iterable[UUID]) -> None:
    """Delete the keys of tasks that are deleted, and free those that they hold."""
    gone = _marked(ids)
    if gone:
        await release(connection, gone)
        await connection.execute(
            delete(task_unique_keys).where(task_unique_keys.c.task_id.in_(IDS)), {"ids": gone}
        )


class _Held(NamedTuple):
    task_id: UUID
    known_status: Status | None

    @property
    def status(self) -> Status:
        return self.known_status or Status.QUEUED


def _has_ended(held: _Held, own: set[UUID]) -> bool:
    is_gone = held.known_status is None or held.known_status.final
    return is_gone and held.task_id not in own


def _marked(ids: Iterable[UUID]) -> list[UUID]:
    return sorted(one for one in ids if is_marked(one, Mark.UNIQUE))


async def _of(connection: AsyncConnection, ids: Iterable[UUID]) -> list[Named]:
    """Return the keys that some tasks hold, without a lock."""
    wanted = _marked(ids)
    return await _held(connection, wanted) if wanted else []


async def _read(connection: AsyncConnection, keys: Iterable[Named]) -> Mapping[Named, _Held]:
    found = await connection.execute(_holders.where(_is_one_of(keys)))
    return {(row.namespace, row.hash): _Held(row.task_id, row.status) for row in found}


def _is_one_of(keys: Iterable[Named]) -> ColumnElement[bool]:
    return is_one_of(unique_keys.c.namespace, unique_keys.c.hash, sorted(keys))
