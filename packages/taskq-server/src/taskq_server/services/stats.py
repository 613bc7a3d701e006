"""The tasks of each queue by status, the age of the oldest due one, and how fast it moves."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import handlers, history, workers
from taskq_server.crud.oldest import oldest
from taskq_server.domain.caller import Caller
from taskq_server.domain.counts import by_queue
from taskq_server.domain.minutes import LATELY, NO_ENDS, minute_of, start_of
from taskq_server.domain.task import WAITING, Queue, Status

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The tasks of a queue by status, and how it has moved in the last minutes.

    Attributes:
        name: of the queue.
        tasks: the number of tasks by status.
        oldest_age_seconds: for how long the oldest due task has been due; None if no task is due,
            and where it would cost too much.
        throughput_per_minute: attempts that ran to their end, successful or not, on average.
        run_seconds_mean: the mean of how long these attempts ran; None without any.
    """

    name: str
    tasks: Counter[Status]
    oldest_age_seconds: float | None
    throughput_per_minute: float = 0.0
    run_seconds_mean: float | None = None

    @property
    def depth(self) -> int:
        """The number of waiting tasks, due or not."""
        return sum(self.tasks[status] for status in WAITING)

    @property
    def running(self) -> int:
        """The number of running tasks."""
        return self.tasks[Status.RUNNING]


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
        first = minute_of(now) - LATELY + 1
        passed = (now - start_of(first)) / _MINUTE
        numbers = await history.numbers(connection, namespaces, first)
        queues = {each: by_queue(numbers[each].tasks) for each in namespaces}
        live = await workers.queues_of_live(connection, now, namespaces)
        waiting = {each: queues_with(WAITING, queues[each]) for each in namespaces}
        ages = await oldest_ages(connection, now, waiting, live)

        def stats(of: Queue, tasks: Counter[Status]) -> QueueStats:
            ends = numbers[of.namespace].ended.get(of.name, NO_ENDS)
            moved = ends.number / passed
            return QueueStats(of.name, tasks, ages.get(of), moved, ends.run_seconds_mean)

        return {
            namespace: Stats(
                tuple(stats(Queue(namespace, name), tasks) for name, tasks in by_name.items()),
                len(live[namespace]),
            )
            for namespace, by_name in queues.items()
        }


def queues_with(statuses: Collection[Status], queues: Mapping[str, Counter[Status]]) -> list[str]:
    """Return the names of the queues that have tasks in one of some statuses."""
    return [name for name, tasks in queues.items() if not tasks.keys().isdisjoint(statuses)]


async def oldest_ages(
    connection: Connection,
    now: datetime,
    waiting: Mapping[str, Sequence[str]],
    live: Mapping[str, Sequence[str]],
) -> dict[Queue, float]:
    """Return for how many seconds the oldest due task of each queue has been due.

    Args:
        connection: any.
        now: aware UTC.
        waiting: by namespace, the queues with waiting tasks.
        live: by namespace, the JSON lists of queues of its live workers.
    """
    published = await handlers.known_in(connection, waiting.keys()) if waiting else {}
    ages: dict[Queue, float] = {}
    for namespace, queues in waiting.items():
        since = await oldest(
            connection,
            namespace=namespace,
            queues=queues,
            handlers=[handler.name for handler in published[namespace]],
            now=now,
            listened={queue for listed in live[namespace] for queue in json.loads(listed)},
        )
        for name, at in since.items():
            ages[Queue(namespace, name)] = max(0.0, (now - at).total_seconds())
    return ages
