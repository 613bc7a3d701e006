"""Queues: how they stand, and whether they are paused."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from taskq_server.broker.notifier import Notifier
from taskq_server.core.database import Connection, Database
from taskq_server.crud import queues, workers
from taskq_server.crud.queues import QueueRow
from taskq_server.domain import limits
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import FieldError, QuotaExceeded
from taskq_server.domain.task import Queue
from taskq_server.services.stats import QueueStats, StatsService


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue as it stands.

    Attributes:
        stats: its tasks by status, and how it has moved in the last minutes.
        workers: live workers that listen to it.
        paused_at: since when it is paused; None if it is not.
        note: why it is paused, for people.
    """

    stats: QueueStats
    workers: int
    paused_at: datetime | None
    note: str | None


class QueueService:
    """Read, pause and resume queues.

    Args:
        database: holds their rows.
        clock: aware UTC.
        stats: counts their tasks.
        notifier: tells workers.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        stats: StatsService,
        notifier: Notifier,
    ) -> None:
        self._database = database
        self._clock = clock
        self._stats = stats
        self._notifier = notifier

    async def list(self, caller: Caller) -> list[QueueState]:
        """Return every queue that has tasks, live workers or a row, by name."""
        namespace, now = caller.namespace, self._clock()

        async def look(connection: Connection) -> tuple[list[QueueRow], Counter[str]]:
            live = await workers.queues_of_live(connection, now, [namespace])
            return await queues.rows(connection, namespace), _listeners(live[namespace])

        rows, listeners = await self._database.read(look)
        counted = {each.name: each for each in (await self._stats.read(caller)).queues}
        kept = {row.name: row for row in rows}
        return [
            _state(name, counted.get(name), listeners[name], kept.get(name))
            for name in sorted({*counted, *kept, *listeners})
        ]

    async def get(self, caller: Caller, name: str) -> QueueState:
        """Return a queue as it stands; one that nobody has used is empty."""
        for each in await self.list(caller):
            if each.stats.name == name:
                return each
        return _state(name, None, 0, None)

    async def pause(self, caller: Caller, name: str, note: str | None = None) -> None:
        """Pause a queue: once this returns, no attempt of its tasks starts anywhere.

        It waits for the claims that are under way. What runs goes on.

        Args:
            caller: whose namespace has the queue.
            name: of the queue; nobody needs to have used it.
            note: why, for people; None leaves the note of a queue that is paused already.

        Raises:
            QuotaExceeded: too many queues of the namespace are paused.
            DatabaseUnavailable: nobody knows whether it is paused.
        """
        queue, now = Queue(caller.namespace, name), self._clock()

        async def work(connection: Connection) -> None:
            row = await queues.lock(connection, queue)
            if row.paused_at is None:
                amount = await queues.count_paused(connection, queue.namespace)
                if amount >= limits.PAUSED_QUEUES:
                    detail = f"{amount} queues are paused, and there may be no more: resume some"
                    raise QuotaExceeded(
                        detail, [FieldError("/path/name", "quota-exceeded", detail)]
                    )
                await queues.write(connection, queue, now, note)
            elif note is not None:
                await queues.write(connection, queue, row.paused_at, note)

        await self._database.write(work)
        self._notifier.queue_changed(queue)

    async def resume(self, caller: Caller, name: str) -> None:
        """Let a queue go on, if it is paused.

        Raises:
            DatabaseUnavailable: nobody knows whether it goes on.
        """
        queue = Queue(caller.namespace, name)
        await self._database.write(lambda c: queues.write(c, queue, None, None))
        self._notifier.queue_changed(queue)

    async def paused(self, names: Collection[str]) -> set[Queue]:
        """Return which queues of some names are paused, in any namespace."""
        return await self._database.read(lambda c: queues.paused(c, names))


def _listeners(lists: Iterable[str]) -> Counter[str]:
    """Return how many workers listen to each queue, from the JSON lists of their rows."""
    found: Counter[str] = Counter()
    for text, amount in Counter(lists).items():
        for name in set(json.loads(text)):
            found[name] += amount
    return found


def _state(name: str, stats: QueueStats | None, listeners: int, row: QueueRow | None) -> QueueState:
    return QueueState(
        stats or QueueStats(name, Counter(), None),
        listeners,
        None if row is None else row.paused_at,
        None if row is None else row.note,
    )
