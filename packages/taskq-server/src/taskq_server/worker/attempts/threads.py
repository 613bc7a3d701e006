"""The threads of a worker: how many sync tasks it may claim.

A sync task that is claimed without a thread is `running` and waits, although other workers may be
idle. But if a worker claims no more tasks than it has threads, these are empty while it waits for
the database. So a thread counts as free if its handler has been short so far, unless too many tasks
wait for it already.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil

from taskq_server.domain.task import Task
from taskq_server.worker.attempts.running import RunningAttempt
from taskq_server.worker.attempts.slots import SHORT_SECONDS, SMOOTHING, UNKNOWN_SECONDS, Slots


class Threads:
    """Threads of a worker.

    Args:
        limit: most sync handlers that run at once.
        patience: seconds that an attempt waits for a thread before it is released.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self._limit = limit
        self._slots = Slots(limit, patience)
        self._claimed = Counter[str]()
        self._usual: dict[str, float] = {}

    @property
    def room(self) -> int:
        """The number of further tasks worth a claim, as long as their handlers are unknown."""
        room, short, line = self._state()
        left = room * SHORT_SECONDS - line
        if room <= 0 or left <= 0:
            return 0
        ahead = int(left * short / line) if short else 0
        return max(ceil(left / SHORT_SECONDS), min(ahead, 2 * self._limit))

    def room_for(self, tasks: Sequence[Task]) -> int:
        """Return how many of these tasks could be claimed, in this order."""
        room, _, line = self._state()
        for number, task in enumerate(tasks):
            if room <= 0 or line >= room * SHORT_SECONDS:
                return number
            if self._is_short(task.handler):
                line += self._usual[task.handler]
            else:
                room -= 1
        return len(tasks)

    def _state(self) -> tuple[int, int, float]:
        """Return the threads without long handlers, the claims of short ones, and their seconds."""
        short = {name: count for name, count in self._claimed.items() if self._is_short(name)}
        long = self._claimed.total() - sum(short.values())
        line = sum(count * self._usual[name] for name, count in short.items())
        return self._limit - long, sum(short.values()), line

    @contextmanager
    def expected(self, running: RunningAttempt) -> Iterator[None]:
        """Count a claimed attempt that waits for another resource before it takes a thread."""
        self._count(running, 1)
        try:
            yield
        finally:
            self._count(running, -1)

    async def take(self, running: RunningAttempt) -> bool:
        """Wait for a thread; return False if the attempt is interrupted or waits for too long."""
        with self.expected(running):
            taken = await self._slots.take(running)
        if taken:
            self._count(running, 1)
        elif running.cause is None:
            self._usual.clear()
        return taken

    def give_back(self, running: RunningAttempt, seconds: float) -> None:
        """Pass a thread to the waiting attempt with the lowest score.

        Args:
            running: the attempt that had the thread.
            seconds: how long the attempt had it.
        """
        handler = running.task.handler
        usual = self._usual.get(handler, UNKNOWN_SECONDS)
        self._usual[handler] = usual + (seconds - usual) / SMOOTHING
        self._count(running, -1)
        self._slots.give_back(seconds)

    def _is_short(self, handler: str) -> bool:
        return self._usual.get(handler, UNKNOWN_SECONDS) < SHORT_SECONDS

    def _count(self, running: RunningAttempt, change: int) -> None:
        handler = running.task.handler
        self._claimed[handler] += change
        if not self._claimed[handler]:
            del self._claimed[handler]
