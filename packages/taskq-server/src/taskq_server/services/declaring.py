"""The schedules that handlers declare in code: which are published, and which are in force.

Who publishes judges, and so do janitors, because workers end unasked. Each judges with the rows of
a handler's declarations locked, and reads only then which workers live, so the last one to judge
knows all that the others knew.
"""

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from taskq_server.core.database import Connection
from taskq_server.crud import declarations as crud
from taskq_server.crud import schedules
from taskq_server.crud.pairs import Named
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.declarations import (
    NOTHING,
    Known,
    Publisher,
    goes_back,
    in_force,
    news,
    schedule_name,
)
from taskq_server.domain.worker import served_in
from taskq_server.services.declared import Declared
from taskq_server.services.declared_rows import DeclaredRows

_TOGETHER = 100


class Change(NamedTuple):
    """A declaration that has to come into force, and whether it is older than what is."""

    known: Known
    goes_back: bool

    @property
    def pair(self) -> Named:
        """The namespace and the handler."""
        return _pair(self.known)


class Declaring:
    """Put in force what handlers declare.

    Args:
        clock: aware UTC.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._rows = DeclaredRows(clock)
        self._handlers: dict[UUID, frozenset[str]] = {}

    async def publish(
        self,
        connection: Connection,
        declared: Declared,
        namespaces: Collection[str],
        handlers: Collection[str],
    ) -> None:
        """Store what a worker declares, and put in force what is new.

        Args:
            connection: of the transaction that has written the row of the worker.
            declared: what its handlers declare.
            namespaces: that it serves.
            handlers: the names of all its handlers.
        """
        if not handlers:
            return
        publisher = declared.publisher(namespaces, handlers)
        there = await crud.known(connection, handlers, _asked(publisher))
        new = news(publisher, there, declared.texts, self._clock())
        await crud.insert(connection, new)
        pairs = {_pair(one) for one in (*there, *new) if one.text}
        await self.judge(connection, pairs, may_go_back=False)

    async def outdated(self, connection: Connection) -> list[Change]:
        """Return what has to be put in force; nearly always that is nothing."""
        declaring = sorted(await crud.declaring(connection))
        if not declaring:
            return []
        live = await self._live(connection)
        found: list[Change] = []
        for start in range(0, len(declaring), _TOGETHER):
            some = declaring[start : start + _TOGETHER]
            known = await crud.of_pairs(connection, some)
            found += await _changes(connection, some, known, live)
        return found

    async def judge(
        self, connection: Connection, pairs: Collection[Named], *, may_go_back: bool
    ) -> None:
        """Put in force what is to be.

        Args:
            connection: of a transaction.
            pairs: the namespaces and handlers to judge.
            may_go_back: whether that may be older than what is in force.
        """
        if not pairs:
            return
        known = await crud.of_pairs(connection, pairs, lock=True)
        live = await self._live(connection)
        for change in await _changes(connection, pairs, known, live):
            if may_go_back or not change.goes_back:
                await self._rows.put_in_force(connection, change.known)

    async def _live(self, connection: Connection) -> list[Publisher]:
        """Return what live workers publish; what handlers one has does not change."""
        rows = await crud.live(connection, self._clock())
        known = {row.id: self._handlers[row.id] for row in rows if row.id in self._handlers}
        new = await crud.handlers_of(connection, {row.id for row in rows} - known.keys())
        # An older worker, or one that has ended since, has a list.
        known |= {worker_id: frozenset(json.loads(text)) for worker_id, text in new.items()}
        self._handlers = known
        return [
            Publisher(served_in(row.namespaces), known[row.id], _read(row.declarations))
            for row in rows
            if row.id in known
        ]


async def _changes(
    connection: Connection,
    pairs: Collection[Named],
    known: Iterable[Known],
    live: Collection[Publisher],
) -> list[Change]:
    """Return what has to be put in force, in place of what is, in the order of the primary key."""
    names = [(namespace, schedule_name(handler)) for namespace, handler in pairs]
    declared = await schedules.declared(connection, names)
    there: dict[Named, dict[str, Known]] = {pair: {} for pair in sorted(pairs)}
    for each in known:
        there[_pair(each)][each.digest] = each
    found: list[Change] = []
    for (namespace, handler), those in there.items():
        first = {digest: one.first_published_at for digest, one in those.items()}
        says = [worker.says(namespace, handler) for worker in live]
        said = [digest for digest in says if digest is not None]
        last = declared.get((namespace, schedule_name(handler)), NOTHING)
        new = in_force(first, said, last)
        if new != last:
            found.append(Change(those[new], goes_back(first, new, last)))
    return found


def _asked(publisher: Publisher) -> set[str] | None:
    """Return the namespaces of which a worker has to know what is declared; None for all."""
    if ALL_NAMESPACES in publisher.namespaces:
        return None
    return {*publisher.namespaces, ALL_NAMESPACES}


def _pair(one: Known) -> Named:
    return one.namespace, one.handler


def _read(text: str) -> dict[str, tuple[str, str]]:
    return {name: (where, digest) for name, (where, digest) in json.loads(text).items()}
