"""The janitors' part of bulk operations: work through them, batch by batch.

A batch is one transaction: it locks the operation's row, so that no other janitor works on it,
changes the tasks, and stores how far the operation has come. Whoever is killed leaves nothing half
done, and another janitor goes on.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.crud import bulk, listing, many_changes, tasks, unique_keys
from taskq_server.domain.bulk import BATCH, Action, Batch, Effect, Operation, advance, decide
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.requests import Edit
from taskq_server.domain.task import Status, Task
from taskq_server.schemas.bulk import BulkChanges, BulkFilter
from taskq_server.services.after_commit import AfterCommit
from taskq_server.services.quotas import Quotas
from taskq_server.services.read import filter_of
from taskq_server.services.task_log import AS_DEFAULT, TaskLog

_AT_ONCE = 100
_REST = 1.0
"""A pause after each batch, in times of what the batch took: others get their turn."""

_log = logging.getLogger("taskq.server.janitor")

Change = tuple[Task, Task | None]
"""A task before and after; None after for one that was deleted."""


@dataclass(frozen=True, slots=True)
class _Decided:
    """What becomes of the tasks of one batch."""

    changes: list[Change]
    skipped: int
    failed: int


@dataclass(frozen=True, slots=True)
class _Keys:
    """The tasks that have their unique keys, if any, and those whose keys others hold."""

    taken: frozenset[UUID]
    lost: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class _Worked:
    """A batch that is committed, and the operation after it."""

    operation: Operation
    changes: list[Change]


class BulkWork:
    """Work through bulk operations; any number of janitors may, in any number of processes.

    Args:
        database: holds the rows.
        clock: aware UTC.
        quotas: say how many tasks may wait.
        after_commit: tells what has changed.
        log: tells of tasks that end.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        quotas: Quotas,
        after_commit: AfterCommit,
        *,
        log: TaskLog = AS_DEFAULT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._quotas = quotas
        self._after_commit = after_commit
        self._task_log = log
        self._monotonic = monotonic

    async def sweep(self) -> None:
        """Work until no operation is left that nobody else works on."""
        while await self._round():
            pass

    async def step(self, operation_id: UUID) -> Operation | None:
        """Work through one batch of an operation, and return how far it is then.

        Returns:
            None if the operation has ended, or if somebody else works on it.
        """
        waiting = self._quotas.waiting
        if waiting.is_limited:
            seen = await self._database.read(lambda c: bulk.peek(c, operation_id))
            if seen is None:
                return None
            if seen.action is Action.RETRY:
                async with waiting.some_places(Caller(seen.namespace), seen.room) as room:
                    return await self._worked(operation_id, room)
        return await self._worked(operation_id, BATCH)

    async def _round(self) -> bool:
        """Work through a batch of each operation; return whether there was one."""
        is_busy = False
        for operation_id in await self._database.read(lambda c: bulk.running(c, limit=_AT_ONCE)):
            began = self._monotonic()
            try:
                has_worked = await self.step(operation_id) is not None
            except DatabaseUnavailable:
                raise
            except Exception:  # such as a filter that a later version has stored
                _log.exception("cannot go on with bulk operation %s", operation_id)
                continue
            is_busy |= has_worked
            if has_worked:
                await asyncio.sleep(_REST * (self._monotonic() - began))
        return is_busy

    async def _worked(self, operation_id: UUID, room: int) -> Operation | None:
        worked = await self._database.write(lambda c: self._batch(c, operation_id, room))
        if worked is None:
            return None
        self._after_commit.changed_together(worked.changes)
        for before, after in worked.changes:
            if after is not None and after.status is Status.CANCELLED and before.status.waiting:
                self._task_log.cancelled(after)
        _tell(worked.operation)
        return worked.operation

    async def _batch(self, connection: Connection, operation_id: UUID, room: int) -> _Worked | None:
        operation = await bulk.take(connection, operation_id)
        if operation is None:
            return None
        wanted = operation.of_tasks(BulkFilter.model_validate_json(operation.filter).as_filter())
        filters = await filter_of(
            connection, operation.namespace, wanted, operation.cursor, operation.room
        )
        now = self._clock()
        decided, next_after = _Decided([], 0, 0), None
        if filters is not None:
            scanned = await listing.page(connection, filters)
            found = [task.id for task in scanned.tasks]
            keys = await _lock_keys(connection, operation, scanned.tasks, now)
            # What was read may have changed before it was locked.
            locked = await tasks.lock(connection, found, payload=False)
            fitting = await listing.matching(connection, filters, locked)
            kept = [locked[each] for each in found if each in fitting]
            free = [each for each in kept if each.id not in keys.lost]
            decided = _decide(operation, free, len(found) - len(free), room, now)
            next_after = scanned.next_after
            await _write(connection, decided.changes, now)
            changed = {before.id for before, _ in decided.changes}
            await _give_back(connection, keys.taken - changed, locked)
        batch = Batch(
            done=len(decided.changes),
            skipped=decided.skipped,
            failed=decided.failed,
            next_after=next_after,
        )
        moved = advance(operation, batch, now=now)
        await bulk.move(connection, moved)
        return _Worked(moved, decided.changes)


async def _lock_keys(
    connection: Connection, operation: Operation, scanned: Sequence[Task], now: datetime
) -> _Keys:
    """Lock the unique keys of some tasks before the tasks, and take those that a retry needs."""
    if operation.action is not Action.RETRY:
        await unique_keys.lock(connection, [task.id for task in scanned])
        return _Keys(frozenset(), frozenset())
    wanted = [
        task.id for task in scanned if isinstance(decide(operation, None, task, now=now), Task)
    ]
    lost = await unique_keys.retake(connection, operation.namespace, wanted)
    return _Keys(frozenset(wanted) - lost.keys(), frozenset(lost))


async def _give_back(
    connection: Connection, ids: Collection[UUID], locked: Mapping[UUID, Task]
) -> None:
    """Free the keys of tasks that were not retried after all."""
    await unique_keys.release(
        connection, [each for each in ids if each not in locked or locked[each].status.final]
    )


def _decide(
    operation: Operation, kept: list[Task], skipped: int, room: int, now: datetime
) -> _Decided:
    """Decide about locked tasks that match.

    Args:
        operation: what to do.
        kept: the tasks.
        skipped: how many others no longer match.
        room: how many of them may begin to wait.
        now: aware UTC.
    """
    edit = _edit(operation)
    changes: list[Change] = []
    failed = 0
    for task in kept:
        after = decide(operation, edit, task, now=now)
        if after is Effect.SKIPPED:
            skipped += 1
        elif after is Effect.DELETED:
            changes.append((task, None))
        elif isinstance(after, Task):
            begins_to_wait = task.status.final and after.status.waiting
            if begins_to_wait and not room:
                failed += 1
                continue
            room -= begins_to_wait
            changes.append((task, after))
    return _Decided(changes, skipped, failed)


def _edit(operation: Operation) -> Edit | None:
    if operation.changes is None:
        return None
    return BulkChanges.model_validate_json(operation.changes).as_edit()


async def _write(connection: Connection, changes: list[Change], now: datetime) -> None:
    await many_changes.write(
        connection, [(before, after) for before, after in changes if after is not None]
    )
    gone = [before for before, after in changes if after is None]
    if gone:
        await tasks.remove(connection, gone, now)


def _tell(operation: Operation) -> None:
    if operation.finished_at is not None:
        _log.info(
            "bulk %s %s has ended: %d done, %d skipped, %d failed",
            operation.action, operation.id, operation.done, operation.skipped, operation.failed,
        )  # fmt: skip
