"""Which sync tasks a worker may claim: those that have a thread, or will have one in no time.

What it claims beyond that would be `running` and wait, while other workers are idle. But a worker
with no more claims than threads waits for its database while they are empty. So a thread that runs
a handler which has been short so far is as good as free, unless too many wait for it already.
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
        limit: sync handlers that may run at once.
        patience: seconds that an attempt waits for a thread before it goes back.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self._limit = limit
        self._slots = Slots(limit, patience)
        self._claimed = Counter[str]()
        self._usual: dict[str, float] = {}

    @property
    def room(self) -> int:
        """How many tasks more are worth a claim, as long as nobody knows their handlers."""
        room, short, line = self._state()
        left = room * SHORT_SECONDS - line
        if room <= 0 or left <= 0:
            return 0
        ahead = int(left * short / line) if short else 0
        return max(ceil(left / SHORT_SECONDS), min(ahead, 2 * self._limit))

    def room_for(self, tasks: Sequence[Task]) -> int:
        """Return how many of some tasks could be claimed, in this order."""
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
        """Count a claimed attempt that will take a thread as soon as it has something else."""
        self._count(running, 1)
        try:
            yield
        finally:
            self._count(running, -1)

    async def take(self, running: RunningAttempt) -> bool:
        """Wait for a thread; False if the attempt is interrupted, or there is none for too long."""
        with self.expected(running):
            taken = await self._slots.take(running)
        if taken:
            self._count(running, 1)
        elif running.cause is None:
            self._usual.clear()
        return taken

    def give_back(self, running: RunningAttempt, seconds: float) -> None:
        """Leave a thread to whoever waits with the lowest score.

        Args:
            running: who had it.
            seconds: for how long.
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
