"""The transactions that store new tasks, so that submits with one key make one task.

Unique keys of tasks are taken first. A task that does not get its key is not stored, and fails
nobody else's. But its idempotency key counts before that: a submit that repeats an earlier one is
answered with the task of that one, whoever holds the unique key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from taskq_server.core.database import Connection
from taskq_server.crud import tasks
from taskq_server.crud.pairs import Named
from taskq_server.crud.tasks import KeyHolder, NewRow
from taskq_server.domain.errors import IdempotencyMismatch, UniqueConflict
from taskq_server.domain.task import TaskDetails
from taskq_server.services import unique
from taskq_server.services.submission import IdempotencyKey
from taskq_server.services.unique import Conflict, Lost

Answer = KeyHolder | Conflict | None
"""Who holds the idempotency key or the unique key of a row; None if the row is stored."""


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """What has become of the rows of a batch that are answered with other tasks.

    Attributes:
        replays: by the id of the row, the task that its idempotency key has submitted before.
        conflicts: by the id of the row, the task that holds its unique key.
    """

    replays: Mapping[UUID, TaskDetails] = field(default_factory=dict)
    conflicts: Mapping[UUID, Conflict] = field(default_factory=dict)

    def has_stored(self, row_id: UUID) -> bool:
        """Return whether a row is stored now."""
        return row_id not in self.replays and row_id not in self.conflicts


class Known(Exception):
    """The idempotency key of a batch is taken; the transaction has to be rolled back."""


class KeyTaken(Exception):
    """A row has got its unique key, but its idempotency key was taken meanwhile; roll back."""


async def all_new(
    connection: Connection, rows: Sequence[NewRow]
) -> Sequence[Answer | UniqueConflict]:
    """Insert rows whose idempotency keys are new.

    Returns:
        For each row who holds one of its keys, or why it is refused; None if it is stored.

    Raises:
        Violation: an idempotency key is taken.
    """
    lost = await unique.take(connection, rows)
    await tasks.insert_new(connection, [row for row in rows if row.task.id not in lost])
    return await _answers(connection, rows, lost, {}) if lost else [None] * len(rows)


async def each_once(
    connection: Connection, rows: Sequence[NewRow]
) -> Sequence[Answer | UniqueConflict]:
    """Insert rows, except for those that are stored already, or whose keys are taken.

    Returns:
        As `all_new`.

    Raises:
        KeyTaken: an idempotency key was taken meanwhile, or belongs to several rows.
    """
    claiming = [row for row in rows if row.claim is not None]
    lost: Lost = {}
    if claiming:
        there = await tasks.existing(connection, [row.task.id for row in claiming])
        known = await tasks.key_holders(connection, _keys(claiming))
        claiming = [row for row in claiming if row.task.id not in there and row.key not in known]
        lost = await unique.take(connection, claiming)
    holders = await tasks.insert(connection, [row for row in rows if row.task.id not in lost])
    if any(_other(row, holders) for row in claiming if row.task.id not in lost):
        raise KeyTaken
    return await _answers(connection, rows, lost, holders)


async def all_or_none(connection: Connection, rows: Sequence[NewRow]) -> StoredBatch:
    """Insert the rows of a batch whose idempotency key is new.

    Raises:
        UniqueConflict: unique keys are taken, and rows are to be refused then.
        Violation: the idempotency key is taken.
        Known: the same, and nothing had to be inserted to find out.
    """
    lost = await unique.take(connection, rows)
    losers = [row for row in rows if row.task.id in lost]
    if await tasks.key_holders(connection, _keys(losers)):
        raise Known
    await tasks.insert_new(connection, [row for row in rows if row.task.id not in lost])
    if not losers:
        return StoredBatch()
    conflicts = await unique.resolve(connection, losers, lost)
    return StoredBatch(conflicts=unique.none_refused(rows, conflicts))


async def replay(
    connection: Connection, rows: Sequence[NewRow], key: IdempotencyKey | None
) -> StoredBatch:
    """Insert those rows of a batch that are not stored, if its idempotency key has others.

    Raises:
        IdempotencyMismatch: the key was used with another body.
        UniqueConflict: unique keys are taken, and rows are to be refused then.
        KeyTaken: the idempotency key was taken meanwhile.
    """
    # The first of equal unique keys speaks for the others, which were not stored before, either.
    first: dict[Named | UUID, NewRow] = {}
    leaders = [first.setdefault(row.claim.key if row.claim else row.task.id, row) for row in rows]
    speaking = list(first.values())
    answers = await each_once(connection, speaking)
    by_row = {row.task.id: answer for row, answer in zip(speaking, answers, strict=True)}
    held = {one: answer for one, answer in by_row.items() if isinstance(answer, KeyHolder)}
    if key is not None:
        for holder in held.values():
            check_fingerprint(holder, key)
    found = await _details(connection, rows, [holder.task_id for holder in held.values()])
    conflicts = {
        one: answer
        for one, answer in by_row.items()
        if isinstance(answer, Conflict | UniqueConflict)
    }
    stored = StoredBatch(
        {one: found[holder.task_id] for one, holder in held.items()},
        unique.none_refused(rows, conflicts),
    )
    followers = [(row.task.id, by.task.id) for row, by in zip(rows, leaders, strict=True)]
    return await _with_followers(connection, rows, stored, followers)


async def _with_followers(
    connection: Connection,
    rows: Sequence[NewRow],
    stored: StoredBatch,
    followers: Sequence[tuple[UUID, UUID]],
) -> StoredBatch:
    """Return what has become of a batch, with each row that is answered as another one is.

    Args:
        connection: of the transaction.
        rows: the whole batch.
        stored: what has become of the rows that lead.
        followers: the id of each row, and that of the one that leads it, perhaps itself.
    """
    led = [(own, leader) for own, leader in followers if own != leader]
    kept = [leader for _, leader in led if stored.has_stored(leader)]
    found = await _details(connection, rows, kept)
    found |= {one: conflict.details for one, conflict in stored.conflicts.items()}
    replays = {own: stored.replays[leader] for own, leader in led if leader in stored.replays}
    conflicts = {own: Conflict(found[leader]) for own, leader in led if leader in found}
    return StoredBatch({**stored.replays, **replays}, {**stored.conflicts, **conflicts})


async def _details(
    connection: Connection, rows: Sequence[NewRow], ids: Sequence[UUID]
) -> dict[UUID, TaskDetails]:
    """Return some tasks of the namespace of a batch."""
    if not ids:
        return {}
    addresses = [(rows[0].task.namespace, one) for one in ids]
    return {one: of for (_, one), of in (await tasks.details(connection, addresses)).items()}


def check_fingerprint(holder: KeyHolder, key: IdempotencyKey) -> None:
    """Check that a key comes with the same body as before.

    Raises:
        IdempotencyMismatch: the body is another one.
    """
    if holder.fingerprint != key.fingerprint:
        raise IdempotencyMismatch("this idempotency key was used before, with another body")


async def _answers(
    connection: Connection,
    rows: Sequence[NewRow],
    lost: Lost,
    holders: Mapping[Named, KeyHolder],
) -> Sequence[Answer | UniqueConflict]:
    losers = [row for row in rows if row.task.id in lost]
    known = {**holders, **await tasks.key_holders(connection, _keys(losers))}
    unknown = [row for row in losers if _other(row, known) is None]
    conflicts = await unique.resolve(connection, unknown, lost) if unknown else {}
    return [_other(row, known) or conflicts.get(row.task.id) for row in rows]


def _keys(rows: Iterable[NewRow]) -> list[Named]:
    return [row.key for row in rows if row.key is not None]


def _other(row: NewRow, holders: Mapping[Named, KeyHolder]) -> KeyHolder | None:
    """Return the other task that holds the idempotency key of a row, if there is one."""
    holder = None if row.key is None else holders.get(row.key)
    return None if holder is None or holder.task_id == row.task.id else holder
