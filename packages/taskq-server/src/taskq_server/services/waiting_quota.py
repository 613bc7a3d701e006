"""Limit the tasks of a namespace that wait, because a caller without end would fill the disk.

The ledger says how many wait. Far from the limit, a submit costs nothing: this process counts for
itself, and reads the ledger again in the background, once a second for all namespaces. Near the
limit the submits of a moment share one read, and reads leave the database four times as long alone
as they take. What other processes store at the same moment may exceed the limit.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.log_context import apart
from taskq_server.crud import counts, unique_keys
from taskq_server.crud.pairs import Named
from taskq_server.crud.tasks import key_holders
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import DatabaseUnavailable, FieldError, QuotaExceeded
from taskq_server.domain.unique import UniqueKey
from taskq_server.services.submission import IdempotencyKey

_FRESH_SECONDS = 1.0
_EARLY_SECONDS = 0.5
_NEAR_TASKS = 1_000
_REST = 4


@dataclass(slots=True)
class _Own:
    """Tasks that this process stores now, and has stored since the ledger was read."""

    storing: int = 0
    stored: int = 0


@dataclass(slots=True)
class _Wanted:
    """The places that one submit needs."""

    namespace: str
    tasks: int
    key: Named | None
    unique: Named | None
    has_places: bool = False
    has_left: bool = False


class _Held(NamedTuple):
    """The idempotency keys and unique keys, of some, that tasks have."""

    keys: Collection[Named]
    unique: Collection[Named]


class WaitingQuota:
    """The places of each namespace for tasks that wait.

    Args:
        most: most waiting tasks of a namespace; None for no limit.
        database: holds the ledger.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        most: int | None,
        database: Database,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = inf if most is None else most
        self._near = 0 if most is None else most - max(_NEAR_TASKS, most // 10)
        self._database = database
        self._monotonic = monotonic
        self._counted: Mapping[str, int] = {}
        self._counted_at = self._rest_until = -inf
        self._own: defaultdict[str, _Own] = defaultdict(_Own)
        self._looks: GroupCommit[_Wanted | None, None] = GroupCommit(
            self._look, name="waiting_quota", observer=database.observer
        )
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit, so that places have to be asked for."""
        return self._most < inf

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._looks.close()

    @asynccontextmanager
    async def places(
        self,
        caller: Caller,
        tasks: int,
        key: IdempotencyKey | None,
        unique: UniqueKey | None = None,
    ) -> AsyncIterator[None]:
        """Take places for tasks that begin to wait while the block runs.

        Args:
            caller: of the tasks' namespace.
            tasks: how many; more than one are a batch.
            key: a submit that repeats an earlier one needs no place.
            unique: the key of one task; if another one holds it, none begins to wait.

        Raises:
            QuotaExceeded: there are too few.
        """
        if not self.is_limited:
            yield
            return
        wanted = _Wanted(
            caller.namespace,
            tasks,
            None if key is None else (caller.namespace, key.hash()),
            None if unique is None else (caller.namespace, unique.hash),
        )
        own = self._own[wanted.namespace]
        try:
            await self._enter(wanted, own)
            yield
            own.stored += tasks if wanted.has_places else 0
        finally:
            wanted.has_left = True
            own.storing -= tasks if wanted.has_places else 0

    @asynccontextmanager
    async def some_places(self, caller: Caller, tasks: int) -> AsyncIterator[int]:
        """Take as many places as there are, for tasks that begin to wait while the block runs.

        Args:
            caller: of the tasks' namespace.
            tasks: how many places are wanted.

        Yields:
            How many there are, `tasks` at most.
        """
        async with AsyncExitStack() as stack:
            wanted = tasks
            while wanted:
                try:
                    await stack.enter_async_context(self.places(caller, wanted, None))
                    break
                except QuotaExceeded:
                    room = int(self._most) - self._count(caller.namespace)
                    wanted = max(0, min(wanted - 1, room))
            yield wanted

    async def _enter(self, wanted: _Wanted, own: _Own) -> None:
        age = self._monotonic() - self._counted_at
        is_far = self._count(wanted.namespace) + wanted.tasks <= self._near
        if not is_far or age > _FRESH_SECONDS:
            await self._looks(wanted)
            return
        own.storing += wanted.tasks
        wanted.has_places = True
        if age > _EARLY_SECONDS and self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh(), context=apart("places"))

    async def _refresh(self) -> None:
        try:
            await self._looks(None)
        except DatabaseUnavailable:
            pass  # those who submit find that out themselves
        finally:
            self._refreshing = None

    def _count(self, namespace: str) -> int:
        own = self._own[namespace]
        return self._counted.get(namespace, 0) + own.storing + own.stored

    async def _look(self, asked: Sequence[_Wanted | None]) -> Sequence[QuotaExceeded | None]:
        await asyncio.sleep(max(0.0, self._rest_until - self._monotonic()))
        before = {namespace: own.stored for namespace, own in self._own.items()}
        keys = {each.key for each in asked if each and each.key is not None}
        unique = {each.unique for each in asked if each and each.unique is not None}

        async def read(connection: Connection) -> tuple[dict[str, int], _Held]:
            counted = await counts.waiting(connection)
            known = await key_holders(connection, keys)
            return counted, _Held(known, await unique_keys.held_among(connection, unique))

        began = self._monotonic()
        self._counted, held = await self._database.read(read)
        self._counted_at = began
        now = self._monotonic()
        self._rest_until = now + _REST * (now - began)
        for namespace, stored in before.items():
            self._own[namespace].stored -= stored
        return [None if each is None else self._answer(each, held) for each in asked]

    def _answer(self, wanted: _Wanted, held: _Held) -> QuotaExceeded | None:
        count = self._count(wanted.namespace)
        if count + wanted.tasks > self._most:
            stores_none = wanted.key in held.keys or wanted.unique in held.unique
            return None if stores_none else self._exceeded(wanted, count)
        if not wanted.has_left:
            self._own[wanted.namespace].storing += wanted.tasks
            wanted.has_places = True
        return None

    def _exceeded(self, wanted: _Wanted, count: int) -> QuotaExceeded:
        detail = (
            f"{self._most} tasks may wait at a time, and {count} do: try again once some have "
            "run, cancel or delete some, or let TASKQ_MAX_WAITING be higher"
        )
        first = max(0, int(self._most) - count)
        pointer = f"/items/{first}" if wanted.tasks > 1 else ""
        return QuotaExceeded(detail, [FieldError(pointer, "quota-exceeded", detail)])
