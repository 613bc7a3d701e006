"""Store new tasks, so that concurrent submits with one idempotency key make one task.

Nearly always a key is new, so all rows are inserted as new, and nothing is read back. Only when the
unique index refuses a key, each row is inserted unless the row or its key exists, and the holders
of the keys are read.
"""

from collections import Counter as Amounts
from collections.abc import Awaitable, Sequence

from taskq_server.core.database import Connection, Database, Violation
from taskq_server.core.database_errors import is_duplicate
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.tracing import Tracing
from taskq_server.crud import tasks
from taskq_server.crud.tasks import KeyHolder, NewRow
from taskq_server.domain.errors import IdempotencyMismatch
from taskq_server.domain.task import TaskDetails
from taskq_server.metrics.submits import SubmitResult, Submits
from taskq_server.services.submission import IdempotencyKey

_ROW_BYTES = 1_000


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
        self._singles: GroupCommit[NewRow, KeyHolder | None] = GroupCommit(
            self._insert,
            weight=lambda row: _ROW_BYTES + len(row.task.payload),
            at_once=3,
            name="submits",
            observer=database.observer,
        )

    async def close(self) -> None:
        """Wait for the transactions under way."""
        await self._singles.close()

    def one(self, row: NewRow) -> Awaitable[KeyHolder | None]:
        """Insert a row, and return the holder of its key; None if that is the row itself."""
        return self._singles(row)

    async def batch(
        self, rows: Sequence[NewRow], key: IdempotencyKey | None
    ) -> list[TaskDetails] | None:
        """Insert all rows or none; return the tasks that hold their keys if those are others.

        Raises:
            IdempotencyMismatch: the key was used with another body.
        """
        try:
            await self._all_new(rows)
        except Violation as error:
            if not is_duplicate(error):
                raise
            replayed = await self._database.write(lambda c: self._replay(c, rows, key))
            if replayed is not None:
                there = {details.task.id for details in replayed}
                self._count([row for row in rows if row.task.id in there])
                return replayed
        self._count(rows)
        return None

    async def _insert(self, rows: Sequence[NewRow]) -> Sequence[KeyHolder | Exception | None]:
        answers = await self._some(rows)
        self._count([row for row, answer in zip(rows, answers, strict=True) if answer is None])
        return answers

    async def _some(self, rows: Sequence[NewRow]) -> Sequence[KeyHolder | Exception | None]:
        with self._tracing.commit("submits", (row.task.traceparent for row in rows)):
            try:
                await self._all_new(rows)
            except Violation as error:
                if not is_duplicate(error):
                    raise
                return await self._database.write(lambda c: self._each_once(c, rows))
            return [None] * len(rows)

    async def _each_once(
        self, connection: Connection, rows: Sequence[NewRow]
    ) -> list[KeyHolder | None]:
        holders = await tasks.insert(connection, rows)
        held = [holders[row.key] if row.key else None for row in rows]
        return [
            None if holder is None or holder.task_id == row.task.id else holder
            for row, holder in zip(rows, held, strict=True)
        ]

    def _count(self, rows: Sequence[NewRow]) -> None:
        # A batch has few handlers and queues, and a child counts many tasks in the time of one.
        amounts = Amounts([(row.task.handler, row.task.queue) for row in rows])
        for (handler, queue), tasks_of in amounts.items():
            self._submits.count(handler, queue, SubmitResult.CREATED, tasks_of)

    async def _all_new(self, rows: Sequence[NewRow]) -> None:
        await self._database.write(lambda c: tasks.insert_new(c, rows))

    async def _replay(
        self, connection: Connection, rows: Sequence[NewRow], key: IdempotencyKey | None
    ) -> list[TaskDetails] | None:
        holders = await tasks.insert(connection, rows)
        if key is None:
            return None  # the rows were committed before, and the answer to that was lost
        held = {of: holders[of] for of in (row.key for row in rows) if of}
        addresses = [(of, holder.task_id) for (of, _), holder in held.items()]
        if addresses == [(row.task.namespace, row.task.id) for row in rows]:
            return None  # the earlier holders have been deleted since
        for holder in held.values():
            check_fingerprint(holder, key)
        found = await tasks.details(connection, addresses)
        return [found[address] for address in addresses]


def check_fingerprint(holder: KeyHolder, key: IdempotencyKey) -> None:
    """Check that a key comes with the same body as before.

    Raises:
        IdempotencyMismatch: the body is another one.
    """
    if holder.fingerprint != key.fingerprint:
        raise IdempotencyMismatch("this idempotency key was used before, with another body")
