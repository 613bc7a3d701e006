"""Store new tasks: single ones in group commits, and batches.

Nearly always a key is new, so all rows are inserted as new, and nothing is read back. Only when the
unique index refuses an idempotency key, the rows are stored once more, with more care.
"""

from collections import Counter as Amounts
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from taskq_server.core.database import Connection, Database, Violation
from taskq_server.core.database_errors import is_duplicate
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.tracing import Tracing
from taskq_server.crud.tasks import NewRow
from taskq_server.domain.errors import Unavailable
from taskq_server.metrics.submits import SubmitResult, Submits
from taskq_server.services import storing
from taskq_server.services.storing import Answer, StoredBatch
from taskq_server.services.submission import IdempotencyKey

T = TypeVar("T")

_ROW_BYTES = 1_000
_TRIES = 10


class Inserts:
    """Inserts of single tasks, in group commits, and of batches.

    Args:
        database: holds the rows, each of which says its namespace.
        tracing: makes the spans of group commits.
        submits: count what is stored, even if its caller has been cancelled meanwhile.
    """

    def __init__(self, database: Database, tracing: Tracing, submits: Submits) -> None:
        self._database = database
        self._tracing = tracing
        self._submits = submits
        self._singles: GroupCommit[NewRow, Answer] = GroupCommit(
            self._insert,
            weight=lambda row: _ROW_BYTES + len(row.task.payload),
            at_once=3,
            name="submits",
            observer=database.observer,
        )

    async def close(self) -> None:
        """Wait for the transactions under way."""
        await self._singles.close()

    def one(self, row: NewRow) -> Awaitable[Answer]:
        """Insert a row, and return who holds one of its keys; None if it is stored.

        Raises:
            UniqueConflict: another task holds its unique key, and the row is to be refused then.
        """
        return self._singles(row)

    async def batch(self, rows: Sequence[NewRow], key: IdempotencyKey | None) -> StoredBatch:
        """Insert all rows or none, but those that are answered with other tasks.

        Raises:
            IdempotencyMismatch: the key was used with another body.
            UniqueConflict: other tasks hold unique keys, and rows are to be refused then.
        """
        try:
            stored = await self._database.write(lambda c: storing.all_or_none(c, rows))
        except (Violation, storing.Known) as error:
            if isinstance(error, Violation) and not is_duplicate(error):
                raise
            stored = await self._until_settled(lambda c: storing.replay(c, rows, key))
        self._count([row for row in rows if stored.has_stored(row.task.id)])
        return stored

    async def _insert(self, rows: Sequence[NewRow]) -> Sequence[Answer | Exception]:
        with self._tracing.commit("submits", (row.task.traceparent for row in rows)):
            answers = await self._some(rows)
        self._count([row for row, answer in zip(rows, answers, strict=True) if answer is None])
        return answers

    async def _some(self, rows: Sequence[NewRow]) -> Sequence[Answer | Exception]:
        try:
            return await self._database.write(lambda c: storing.all_new(c, rows))
        except Violation as error:
            if not is_duplicate(error):
                raise
        if len(rows) > 1:
            # What fails for the group is tried for each of it alone.
            return await self._database.write(lambda c: storing.each_once(c, rows))
        return await self._until_settled(lambda c: storing.each_once(c, rows))

    async def _until_settled(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        for _ in range(_TRIES):
            try:
                return await self._database.write(work)
            except storing.KeyTaken:
                continue
        raise Unavailable("the keys of this submit change hands all the time")

    def _count(self, rows: Sequence[NewRow]) -> None:
        # A batch has few handlers and queues, and a child counts many tasks in the time of one.
        amounts = Amounts([(row.task.handler, row.task.queue) for row in rows])
        for (handler, queue), tasks_of in amounts.items():
            self._submits.count(handler, queue, SubmitResult.CREATED, tasks_of)
