"""Published handlers that nobody uses any more, and their removal by the operator."""

import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskq_server.core.database import Connection, Database
from taskq_server.crud import counts, declarations, handler_use, schedules, workers
from taskq_server.crud.handler_use import Seen
from taskq_server.crud.pairs import Named
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.counts import by_queue
from taskq_server.domain.declarations import schedule_name
from taskq_server.domain.task import WAITING

UNSEEN = timedelta(days=30)
"""For how long no live worker has had a handler that may be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerUse:
    """A published handler, and who uses it.

    Attributes:
        namespace: for which it is published, or `*`.
        name: of the handler.
        seen_at: when a live worker had it last, to a day.
        workers: the number of live workers that have it.
        kept_for: what it is kept for; empty if it may be removed.
    """

    namespace: str
    name: str
    seen_at: datetime
    workers: int
    kept_for: str


class HandlerUses:
    """What the operator may know of all published handlers.

    Args:
        database: holds them.
        clock: aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def all(self) -> list[HandlerUse]:
        """Return all published handlers, by namespace and name."""
        return await self._database.read(lambda c: self._all(c, lock=False))

    async def prune(self, asked: Collection[Named]) -> list[HandlerUse]:
        """Remove those of some handlers that nobody uses by now, with their schedules; return them.

        A worker that comes back publishes its handlers again.

        Args:
            asked: namespaces and names.
        """

        async def work(connection: Connection) -> list[HandlerUse]:
            every = await self._all(connection, lock=True)
            gone = [each for each in every if _key(each) in asked and not each.kept_for]
            if gone:
                await handler_use.forget(connection, map(_key, gone))
                await _forget_declared(connection, gone, {_key(each) for each in every})
            return gone

        return await self._database.write(work)

    async def _all(self, connection: Connection, *, lock: bool) -> list[HandlerUse]:
        now = self._clock()
        every = await handler_use.seen(connection, lock=lock)
        namespaces = {each.namespace for each in every}
        live = await workers.handlers_of_live(connection, now, namespaces)
        able = {each: Counter(n for one in live[each] for n in json.loads(one)) for each in live}
        waiting = await _Waiting.read(connection)
        scheduled = await schedules.handlers_named(connection)
        return [
            HandlerUse(
                namespace=each.namespace,
                name=each.name,
                seen_at=now if able[each.namespace][each.name] else each.at,
                workers=able[each.namespace][each.name],
                kept_for=await _reason(
                    connection, each, able[each.namespace][each.name], waiting, scheduled, now
                ),
            )
            for each in every
        ]


def _key(use: HandlerUse) -> Named:
    return use.namespace, use.name


async def _forget_declared(
    connection: Connection, gone: Collection[HandlerUse], there: Collection[Named]
) -> None:
    """Forget what code has declared of handlers that no worker publishes any more, by now."""
    left = {*there}.difference(map(_key, gone))
    known = await declarations.known(connection, {each.name for each in gone}, None)
    pairs = {(one.namespace, one.handler) for one in known}
    ended = {
        (namespace, name)
        for namespace, name in pairs
        if not left & {(namespace, name), (ALL_NAMESPACES, name)}
    }
    if ended:
        await declarations.forget(connection, ended)
        names = [(namespace, schedule_name(handler)) for namespace, handler in ended]
        await schedules.delete_declared(connection, names)


async def _reason(
    connection: Connection,
    seen: Seen,
    able: int,
    waiting: "_Waiting",
    scheduled: Collection[Named],
    now: datetime,
) -> str:
    if able:
        return "live workers"
    if now - seen.at < UNSEEN:
        return "recent use"
    if any(seen.name == name and seen.serves(namespace) for namespace, name in scheduled):
        return "schedules"
    return "tasks" if await waiting.name(connection, seen) else ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The tasks that are not final: the queues of those that wait, and the handlers of others."""

    queues: dict[str, list[str]]
    running: set[Named]

    @classmethod
    async def read(cls, connection: Connection) -> "_Waiting":
        counted = await counts.everywhere(connection)
        queues = {
            namespace: [name for name, tasks in by_queue(those).items() if tasks.keys() & WAITING]
            for namespace, those in counted.items()
        }
        running = await handler_use.running(connection)
        return cls({each: names for each, names in queues.items() if names}, running)

    async def name(self, connection: Connection, handler: Seen) -> bool:
        """Return whether any of them names a handler."""
        asked = self.queues.keys() | {namespace for namespace, _ in self.running}
        for namespace in filter(handler.serves, sorted(asked)):
            queues = self.queues.get(namespace, [])
            if (namespace, handler.name) in self.running or (
                queues
                and await handler_use.has_waiting(connection, namespace, queues, handler.name)
            ):
                return True
        return False
