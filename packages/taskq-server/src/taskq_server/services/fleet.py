"""Read what tasks and workers there are, for metrics: of all namespaces, once a second at most."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from math import inf

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import counts, handlers, namespaces, queues, workers
from taskq_server.crud.oldest import oldest
from taskq_server.domain.counts import by_queue
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import WAITING
from taskq_server.metrics.fleet import FleetFacts, QueueFacts
from taskq_server.services.frontier import Frontier, behind

MOST_AGED = 200
"""Most namespaces with waiting tasks whose oldest tasks are looked for."""

_FRESH_SECONDS = 1.0
_LATEST_WORKERS = 1_000


class Fleet:
    """The facts of a deployment; their cost does not grow with the number of tasks.

    Args:
        database: holds the ledger.
        clock: aware UTC.
        retention: how long final tasks are kept.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        retention: Retention,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention
        self._monotonic = monotonic
        self._frontier = Frontier(monotonic)
        self._known: FleetFacts | None = None
        self._at = -inf
        self._reads: GroupCommit[None, FleetFacts] = GroupCommit(
            self._read, name="fleet", observer=database.observer
        )

    async def close(self) -> None:
        """Wait for the read under way."""
        await self._reads.close()

    async def facts(self) -> FleetFacts:
        """Return the facts of at most a second ago.

        Raises:
            DatabaseUnavailable: nobody knows.
        """
        if self._known is not None and self._monotonic() - self._at < _FRESH_SECONDS:
            return self._known
        return await self._reads(None)

    async def listened(self) -> list[str]:
        """Return the queues of the latest workers: of live ones first, by name.

        Raises:
            DatabaseUnavailable: nobody knows.
        """
        now = self._clock()
        return await self._database.read(lambda c: _listened(c, now))

    async def _read(self, asked: Sequence[None]) -> Sequence[FleetFacts]:
        at = self._monotonic()
        self._known = facts = await self._database.read(self._facts)
        self._at = at
        return [facts] * len(asked)

    async def _facts(self, connection: Connection) -> FleetFacts:
        now = self._clock()
        made = await namespaces.made(connection)
        live = await workers.live_ids(connection, now)
        listened = await _listened(connection, now)
        overdue = await behind(connection, self._frontier, self._retention, now)
        return FleetFacts(
            namespaces=sorted(made, key=lambda name: (made[name], name)),
            queues=await self._queues(connection, now, listened),
            paused=await queues.all_paused(connection),
            listened=listened,
            workers=len(live),
            retention_overdue_seconds=overdue.total_seconds(),
        )

    async def _queues(
        self, connection: Connection, now: datetime, listened: Sequence[str]
    ) -> list[QueueFacts]:
        counted = await counts.everywhere(connection)
        of_all = {namespace: by_queue(counts) for namespace, counts in sorted(counted.items())}
        waiting = {
            namespace: [name for name, tasks in queues.items() if tasks.keys() & WAITING]
            for namespace, queues in of_all.items()
        }
        asked = [namespace for namespace, names in waiting.items() if names][:MOST_AGED]
        known = await handlers.names_in(connection, asked) if asked else {}
        due: dict[tuple[str, str], datetime] = {}
        for namespace in asked:
            since = await oldest(
                connection,
                namespace=namespace,
                queues=waiting[namespace],
                handlers=known[namespace],
                now=now,
                listened=listened,
            )
            due |= {(namespace, queue): at for queue, at in since.items()}
        return [
            QueueFacts(
                namespace,
                queue,
                tasks,
                max(0.0, (now - due.get((namespace, queue), now)).total_seconds()),
            )
            for namespace, queues in of_all.items()
            for queue, tasks in queues.items()
        ]


async def _listened(connection: Connection, now: datetime) -> list[str]:
    # Those of workers that are gone, too, because their queues are the ones to look at.
    latest = await workers.latest(connection, limit=_LATEST_WORKERS)
    live = _names(queues for queues, lease_until in latest if lease_until >= now)
    gone = _names(queues for queues, lease_until in latest if lease_until < now)
    return [*sorted(live), *sorted(gone - live)]


def _names(lists: Iterable[str]) -> set[str]:
    return {name for text in set(lists) for name in json.loads(text)}
