"""The number of tasks by queue and status, and the age of the oldest due task."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import counts, handlers, workers
from taskq_server.crud.oldest import oldest
from taskq_server.domain.caller import Caller
from taskq_server.domain.counts import by_queue
from taskq_server.domain.task import WAITING, Status
from taskq_server.schemas.service import QueueRead, StatsRead, StatusCounts


class StatsService:
    """Read the sums of the ledger; the cost does not grow with the number of tasks.

    Args:
        database: holds the ledger.
        clock: aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._reads: GroupCommit[str, StatsRead] = GroupCommit(self._read_once)

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._reads.close()

    async def read(self, caller: Caller) -> StatsRead:
        """Return the counts of the caller's tasks by queue and status.

        Concurrent calls share one read, those of several namespaces too.
        """
        return await self._reads(caller.namespace)

    async def _read_once(self, asked: Sequence[str]) -> Sequence[StatsRead]:
        found = await self._database.read(lambda c: self._stats(c, set(asked)))
        return [found[namespace] for namespace in asked]

    async def _stats(
        self, connection: Connection, namespaces: Collection[str]
    ) -> dict[str, StatsRead]:
        now = self._clock()
        counted = await counts.everywhere(connection)
        published = await handlers.published_in(connection, namespaces)
        live = await workers.queues_of_live(connection, now, namespaces)
        found: dict[str, StatsRead] = {}
        for namespace in namespaces:
            queues = by_queue(counted.get(namespace, {}))
            since = await oldest(
                connection,
                namespace=namespace,
                queues=[name for name, by_status in queues.items() if _depth(by_status)],
                handlers=[handler.name for handler in published[namespace]],
                now=now,
                listened={queue for listed in live[namespace] for queue in json.loads(listed)},
            )
            ages = {name: max(0.0, (now - at).total_seconds()) for name, at in since.items()}
            found[namespace] = _stats_read(queues, ages, len(live[namespace]))
        return found


def _stats_read(
    queues: Mapping[str, Counter[Status]], ages: Mapping[str, float], live: int
) -> StatsRead:
    return StatsRead(
        tasks=_status_counts(sum(queues.values(), Counter())),
        queues=[
            QueueRead(
                name=name,
                tasks=_status_counts(by_status),
                depth=_depth(by_status),
                oldest_age_seconds=ages.get(name),
            )
            for name, by_status in queues.items()
        ],
        workers=live,
    )


def _depth(by_status: Counter[Status]) -> int:
    return sum(by_status[status] for status in WAITING)


def _status_counts(by_status: Counter[Status]) -> StatusCounts:
    return StatusCounts(**{status.value: by_status[status] for status in Status})
