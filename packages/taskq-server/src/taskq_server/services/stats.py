"""The number of tasks by queue and status, and the age of the oldest due task."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import counts, handlers, workers
from taskq_server.crud.oldest import oldest
from taskq_server.domain.counts import by_queue
from taskq_server.domain.task import WAITING, Status
from taskq_server.schemas.service import QueueRead, StatsRead, StatusCounts


class StatsService:
    """Read the sums of the ledger; the cost does not grow with the number of tasks.

    Args:
        database: holds the ledger.
        clock: aware UTC.
        namespace: whose tasks.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], namespace: str) -> None:
        self._database = database
        self._clock = clock
        self._namespace = namespace
        self._reads: GroupCommit[None, StatsRead] = GroupCommit(self._read_once)

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._reads.close()

    async def read(self) -> StatsRead:
        """Return the task counts by queue and status; concurrent calls share one read."""
        return await self._reads(None)

    async def _read_once(self, asked: Sequence[None]) -> Sequence[StatsRead]:
        return [await self._database.read(self._stats)] * len(asked)

    async def _stats(self, connection: Connection) -> StatsRead:
        now = self._clock()
        everywhere = await counts.everywhere(connection)
        queues = by_queue(
            {
                (queue, status): n
                for (of, queue, status), n in everywhere.items()
                if of == self._namespace
            }
        )
        published = await handlers.published(connection, self._namespace)
        names = [handler.name for handler in published]
        live = await workers.queues_of_live(connection, now)
        since = await oldest(
            connection,
            namespace=self._namespace,
            queues=[name for name, by_status in queues.items() if _depth(by_status)],
            handlers=names,
            now=now,
            listened={queue for listed in live for queue in json.loads(listed)},
            shared={
                queue
                for (of, queue, status), amount in everywhere.items()
                if of != self._namespace and status in WAITING and amount
            },
        )
        ages = {name: max(0.0, (now - moment).total_seconds()) for name, moment in since.items()}
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
            workers=len(live),
        )


def _depth(by_status: Counter[Status]) -> int:
    return sum(by_status[status] for status in WAITING)


def _status_counts(by_status: Counter[Status]) -> StatusCounts:
    return StatusCounts(**{status.value: by_status[status] for status in Status})
