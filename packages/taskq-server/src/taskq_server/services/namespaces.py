"""The namespaces of a deployment: which there are, and what is in them."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import counts, namespaces
from taskq_server.domain.counts import by_queue
from taskq_server.domain.errors import FieldError, InvalidFields
from taskq_server.domain.naming import is_namespace, no_such_namespace
from taskq_server.domain.task import Status

_FRESH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class NamespaceUse:
    """A namespace, when it was made, and how many tasks and queues with tasks it has."""

    name: str
    created_at: datetime
    tasks: int
    queues: int


class Namespaces:
    """The names of all namespaces, cached for half a second, and how they are made.

    A name that is missing is looked up again at once. Rows are never deleted, so that a name that
    was there may be relied on.

    Args:
        database: holds them.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._made: Mapping[str, datetime] = {}
        self._at = -inf
        self._reads: GroupCommit[None, Mapping[str, datetime]] = GroupCommit(
            self._read, name="namespaces", observer=database.observer
        )

    async def close(self) -> None:
        """Wait for the read under way."""
        await self._reads.close()

    def forget(self) -> None:
        """Read the names anew when they are asked for next."""
        self._at = -inf

    async def names(self) -> tuple[str, ...]:
        """Return the names of all namespaces, sorted.

        Raises:
            DatabaseUnavailable: nobody knows.
        """
        if self._monotonic() - self._at > _FRESH_SECONDS:
            await self._reads(None)
        return tuple(self._made)

    async def require(self, name: str, pointer: str) -> None:
        """Check that a namespace exists.

        Args:
            name: what a caller has sent.
            pointer: where it has sent that, for the error.

        Raises:
            InvalidFields: there is no such namespace; the sentence names the nearest one.
            DatabaseUnavailable: nobody knows.
        """
        if name in await self.names() or name in await self._reads(None):
            return
        detail = no_such_namespace(name, self._made)
        raise InvalidFields(detail, [FieldError(pointer, "unknown-namespace", detail)])

    async def create(self, name: str) -> bool:
        """Make a namespace; return False if it exists already.

        Raises:
            InvalidFields: no namespace can have this name.
            DatabaseUnavailable: nobody knows whether it was made.
        """
        if not is_namespace(name):
            detail = (
                f"{name!r} cannot be a namespace: names have 1 to 64 characters without white "
                "space, and `*` stands for all namespaces"
            )
            raise InvalidFields(detail, [FieldError("/namespace", "invalid-value", detail)])
        now = await self._database.now()
        is_new = await self._database.write(
            lambda c: namespaces.create(self._database, c, name, now)
        )
        self.forget()
        return is_new

    async def use(self) -> list[NamespaceUse]:
        """Return all namespaces by name, and how much they are used; the ledger counts the tasks.

        Raises:
            DatabaseUnavailable: nobody knows.
        """

        async def read(connection: Connection) -> list[NamespaceUse]:
            made = await namespaces.made(connection)
            counted = await counts.everywhere(connection)
            return [_use(name, at, by_queue(counted.get(name, {}))) for name, at in made.items()]

        return await self._database.read(read)

    async def _read(self, asked: Sequence[None]) -> Sequence[Mapping[str, datetime]]:
        at = self._monotonic()
        self._made = await self._database.read(namespaces.made)
        self._at = at
        return [self._made] * len(asked)


def _use(name: str, at: datetime, queues: Mapping[str, Counter[Status]]) -> NamespaceUse:
    return NamespaceUse(name, at, sum(map(Counter.total, queues.values())), len(queues))
