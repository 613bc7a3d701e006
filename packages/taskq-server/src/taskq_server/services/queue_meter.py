"""Measure once a minute how much waits and runs in each queue, for the history."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from heapq import nlargest

from taskq_server.core.database import Connection, Database, Violation
from taskq_server.crud import counts, minutes, queues, workers
from taskq_server.crud.minutes import Measured
from taskq_server.domain.counts import by_queue
from taskq_server.domain.minutes import minute_of
from taskq_server.domain.task import WAITING, Queue, Status
from taskq_server.services.stats import oldest_ages

MOST_QUEUES = 1_000
"""Most queues that are measured, the fullest ones: each takes a row a minute, for seven days."""

_MOST_FORGOTTEN = 500


class QueueMeter:
    """Measure all queues, and forget those that are of no use, once a minute in one process.

    Args:
        database: holds the tasks and the history.
        clock: the earliest time that it may be, aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._looked_at: int | None = None

    async def measure(self) -> bool:
        """Measure, and return whether it was this process that did."""
        minute = minute_of(self._clock())
        if minute == self._looked_at:
            return False
        is_mine = await self._claim(minute)
        self._looked_at = minute
        if not is_mine:
            return False
        measured = await self._database.read(self._measured)
        await self._database.write(lambda c: minutes.store(c, minute, measured))
        await self._forget_unused()
        return True

    async def _forget_unused(self) -> None:
        """Forget queues without tasks that are not paused."""
        unused = await self._database.read(lambda c: queues.unused(c, limit=_MOST_FORGOTTEN))
        if unused:
            await self._database.write(lambda c: queues.forget(c, unused))

    async def _claim(self, minute: int) -> bool:
        try:
            await self._database.write(lambda c: minutes.claim(c, minute))
        except Violation:
            return False
        return True

    async def _measured(self, connection: Connection) -> list[Measured]:
        now = self._clock()
        counted = await counts.everywhere(connection)
        busy = {
            Queue(namespace, name): tasks
            for namespace, by_name in counted.items()
            for name, tasks in by_queue(by_name).items()
            if _size(tasks)
        }
        fullest = nlargest(MOST_QUEUES, busy, key=lambda queue: _size(busy[queue]))
        ages = await _ages(connection, now, {queue: busy[queue] for queue in fullest})
        measured = [_measured_as(queue, busy[queue], ages.get(queue)) for queue in fullest]
        if len(fullest) == len(busy):  # only then nothing else waits or runs
            everything: Counter[Status] = sum(busy.values(), Counter())
            measured.append(
                _measured_as(Queue("", ""), everything, max(ages.values(), default=None))
            )
        return measured


async def _ages(
    connection: Connection, now: datetime, queues: Mapping[Queue, Counter[Status]]
) -> dict[Queue, float]:
    waiting: defaultdict[str, list[str]] = defaultdict(list)
    for queue, tasks in queues.items():
        if not tasks.keys().isdisjoint(WAITING):
            waiting[queue.namespace].append(queue.name)
    live = await workers.queues_of_live(connection, now, waiting.keys())
    return await oldest_ages(connection, now, waiting, live)


def _size(tasks: Mapping[Status, int]) -> int:
    return sum(tasks.get(status, 0) for status in (*WAITING, Status.RUNNING))


def _measured_as(queue: Queue, tasks: Counter[Status], age: float | None) -> Measured:
    depth = sum(tasks[status] for status in WAITING)
    return Measured(queue.namespace, queue.name, depth, tasks[Status.RUNNING], age)
