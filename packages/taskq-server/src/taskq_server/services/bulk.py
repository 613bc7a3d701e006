"""Begin, count, show and stop bulk operations; `services.bulk_work` does what they ask for."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.crud import bulk, listing
from taskq_server.domain import limits, scopes
from taskq_server.domain.bulk import Action, NewOperation, Operation, State, begin, stop
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import (
    IdempotencyMismatch,
    OperationNotFound,
    PermissionDenied,
    TooManyOperations,
)
from taskq_server.domain.requests import TaskFilter
from taskq_server.domain.task import Status
from taskq_server.services import cursor as cursors
from taskq_server.services.read import filter_of
from taskq_server.services.submission import IdempotencyKey

_PART_ROWS = 5_000
_MOST_ROWS = 500_000
_COUNT_SECONDS = 0.7


@dataclass(frozen=True, slots=True)
class Accepted:
    """An operation, and whether an earlier request with the same key has begun it."""

    operation: Operation
    replayed: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many tasks a filter finds; at least so many if the count is not exact."""

    by_status: Counter[Status]
    exact: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Operations, the newest first; `next_cursor` is None on the last page."""

    items: Sequence[Operation]
    next_cursor: str | None


class BulkService:
    """What a caller may do with the bulk operations of its namespace.

    Args:
        database: holds the rows.
        clock: aware UTC.
        new_id: makes an id for a moment.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], UUID],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._monotonic = monotonic

    async def begin(
        self, caller: Caller, new: NewOperation, key: IdempotencyKey | None = None
    ) -> Accepted:
        """Begin an operation, which goes on with the rights that the caller has now.

        Args:
            caller: of the tasks' namespace.
            new: what is wanted.
            key: the same key with the same request again gives the same operation.

        Raises:
            PermissionDenied: the caller has not the scopes of the action.
            IdempotencyMismatch: the key was used with another request.
            TooManyOperations: as many operations of the namespace run as may.
        """
        _check_rights(caller, new.action)
        now = self._clock()
        operation = begin(
            new,
            operation_id=self._new_id(now),
            namespace=caller.namespace,
            key_id=caller.key_id,
            granted=caller.scopes,
            now=now,
        )

        async def work(connection: Connection) -> Accepted:
            # The row of the namespace is locked first, so that equal keys wait for each other.
            running = await bulk.count_running(connection, caller.namespace)
            earlier = await self._earlier(connection, operation, key)
            if earlier is not None:
                return earlier
            if running >= limits.BULK_RUNNING:
                raise TooManyOperations(
                    f"{running} bulk operations run, and no more may at a time: wait until one has "
                    "ended, or stop one"
                )
            hashed, fingerprint = (None, None) if key is None else (key.hash(), key.fingerprint)
            await bulk.add(connection, operation, hashed, fingerprint)
            return Accepted(operation, replayed=False)

        return await self._database.write(work)

    async def count(self, caller: Caller, action: Action, wanted: TaskFilter) -> Count:
        """Count the tasks that an operation would find now, within a second.

        Raises:
            PermissionDenied: the caller has not the scopes of the action.
        """
        _check_rights(caller, action)
        ends = self._monotonic() + _COUNT_SECONDS
        oldest_first = replace(wanted, descending=False)

        async def read(connection: Connection) -> Count:
            found: Counter[Status] = Counter()
            filters = await filter_of(connection, caller.namespace, oldest_first)
            rows = 0
            while filters is not None and rows < _MOST_ROWS and self._monotonic() < ends:
                part = await listing.count(connection, filters, _PART_ROWS)
                found += part.by_status
                rows += part.scanned
                after = part.next_after
                filters = None if after is None else replace(filters, after=after)
            return Count(found, exact=filters is None)

        return await self._database.read(read)

    async def get(self, caller: Caller, operation_id: UUID) -> Operation:
        """Return an operation.

        Raises:
            OperationNotFound: the namespace has none of this id.
        """
        found = await self._database.read(lambda c: bulk.get(c, caller.namespace, operation_id))
        return _required(found, operation_id)

    async def list(
        self,
        caller: Caller,
        states: Sequence[State] = (),
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return one page, the newest operation first.

        Args:
            caller: sees the operations of its namespace.
            states: any of these; empty for all.
            limit: most operations in the page.
            cursor: `next_cursor` of the page before; None for the first page.

        Raises:
            InvalidCursor: the cursor was not made for this list.
        """
        bound = [caller.namespace, *sorted(states)]
        after = None if cursor is None else cursors.read(cursor, bound)
        found = await self._database.read(
            lambda c: bulk.page(c, caller.namespace, states=states, after=after, limit=limit + 1)
        )
        items = found[:limit]
        more = len(found) > limit
        return Page(items, cursors.write(items[-1].id, bound) if more else None)

    async def stop(self, caller: Caller, operation_id: UUID) -> Operation:
        """Stop an operation after its present batch; one that has ended stays as it is.

        Raises:
            OperationNotFound: the namespace has none of this id.
        """

        async def work(connection: Connection) -> Operation:
            found = await bulk.get(connection, caller.namespace, operation_id, lock=True)
            operation = _required(found, operation_id)
            stopped = stop(operation, now=self._clock())
            if stopped != operation:
                await bulk.move(connection, stopped)
            return stopped

        return await self._database.write(work)

    async def _earlier(
        self, connection: Connection, operation: Operation, key: IdempotencyKey | None
    ) -> Accepted | None:
        """Return what is there already; an earlier try may have been committed, too."""
        of = operation.namespace
        if key is None:
            own = await bulk.get(connection, of, operation.id)
            return None if own is None else Accepted(own, replayed=False)
        made = await bulk.of_idempotency_key(connection, of, key.hash())
        if made is None:
            return None
        if made.fingerprint != key.fingerprint:
            raise IdempotencyMismatch("the idempotency key was used before, with another body")
        return Accepted(made.operation, replayed=made.operation.id != operation.id)


def _required(found: Operation | None, operation_id: UUID) -> Operation:
    if found is None:
        raise OperationNotFound(f"there is no bulk operation {operation_id}")
    return found


def _check_rights(caller: Caller, action: Action) -> None:
    if not caller.may(scopes.OPERATE):
        raise PermissionDenied.missing(scopes.OPERATE)
    if action.runs:
        if not scopes.runs(caller.scopes):
            raise PermissionDenied.missing(scopes.RUN)
    elif not caller.may(scopes.WRITE):
        raise PermissionDenied.missing(scopes.WRITE)
