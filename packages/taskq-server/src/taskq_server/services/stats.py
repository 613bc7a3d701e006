"""The number of tasks by queue and status, and the age of the oldest due task."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import counts, handlers, workers
from taskq_server.crud.oldest import oldest
from taskq_server.domain.caller import Caller
from taskq_server.domain.counts import by_queue
from taskq_server.domain.task import WAITING, Status


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The tasks of a queue by status, and the seconds that the oldest due one has been due.

    The age is None if no task is due, and where it would cost too much.
    """

    name: str
    tasks: Counter[Status]
    oldest_age_seconds: float | None

    @property
    def depth(self) -> int:
        """The number of waiting tasks, due or not."""
        return sum(self.tasks[status] for status in WAITING)


@dataclass(frozen=True, slots=True)
class Stats:
    """The queues that have tasks, by name, and the number of live workers."""

    queues: tuple[QueueStats, ...]
    workers: int

    @property
    def tasks(self) -> Counter[Status]:
        """The number of tasks in each status."""
        return sum((queue.tasks for queue in self.queues), Counter())


class StatsService:
    """Read the sums of the ledger; the cost does not grow with the number of tasks.

    Args:
        database: holds the ledger.
        clock: aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._reads: GroupCommit[str, Stats] = GroupCommit(
            self._read_once, name="stats", observer=database.observer
        )

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._reads.close()

    async def read(self, caller: Caller) -> Stats:
        """Return the counts of the caller's tasks by queue and status.

        Concurrent calls share one read, those of several namespaces too.
        """
        return await self._reads(caller.namespace)

    async def _read_once(self, asked: Sequence[str]) -> Sequence[Stats]:
        found = await self._database.read(lambda c: self._stats(c, set(asked)))
        return [found[namespace] for namespace in asked]

    async def _stats(self, connection: Connection, namespaces: Collection[str]) -> dict[str, Stats]:
        now = self._clock()
        counted = await counts.everywhere(connection)
        published = await handlers.known_in(connection, namespaces)
        live = await workers.queues_of_live(connection, now, namespaces)
        found: dict[str, Stats] = {}
        for namespace in namespaces:
            by_status = by_queue(counted.get(namespace, {}))
            since = await oldest(
                connection,
                namespace=namespace,
                queues=[name for name, tasks in by_status.items() if tasks.keys() & WAITING],
                handlers=[handler.name for handler in published[namespace]],
                now=now,
                listened={queue for listed in live[namespace] for queue in json.loads(listed)},
            )
            ages = {name: max(0.0, (now - at).total_seconds()) for name, at in since.items()}
            queues = (QueueStats(each, by_status[each], ages.get(each)) for each in by_status)
            found[namespace] = Stats(tuple(queues), len(live[namespace]))
        return found
