"""The slots of a worker: how many handlers run at once, and how many attempts are claimed ahead.

If a worker claims no more attempts than it has slots, the slots are empty while it waits for the
database. With handlers of a second that costs nothing, with handlers of a millisecond most of the
time. So as long as handlers are short, the worker claims as many attempts again ahead. An attempt
that gets no slot in time is released uncharged, because another worker may have room. Namespaces
take turns to get a slot, so that nobody waits for the backlog of another one; attempts of one
namespace get slots in the order of their scores.
"""

import asyncio
from collections import OrderedDict
from heapq import heapify, heappop, heappush
from itertools import count

from taskq_server.domain.task import score
from taskq_server.worker.attempts.running import RunningAttempt

SHORT_SECONDS = 0.02
UNKNOWN_SECONDS = 1.0
SMOOTHING = 16


_Place = tuple[int, int, asyncio.Future[None]]


class Slots:
    """Slots of a worker.

    Args:
        limit: handlers that may run at once.
        patience: seconds that an attempt waits for a slot before it is released.
    """

    def __init__(self, limit: int, patience: float = 0.5) -> None:
        self._limit = limit
        self._patience = patience
        self._free = limit
        self._waiting: OrderedDict[str, list[_Place]] = OrderedDict()
        self._arrivals = count()
        self._usual = UNKNOWN_SECONDS

    @property
    def claimable(self) -> int:
        """The most attempts that may be claimed or running."""
        return self._limit * (2 if self._usual < SHORT_SECONDS else 1)

    async def take(self, running: RunningAttempt) -> bool:
        """Wait for a slot; return False if the attempt is interrupted or waits for too long."""
        if running.cause is not None:
            return False
        if self._free:
            self._free -= 1
            return True
        turn: asyncio.Future[None] = running.loop.create_future()
        task = running.task
        place = (score(task.due_at, task.priority), next(self._arrivals), turn)
        heappush(self._waiting.setdefault(task.namespace, []), place)
        try:
            await running.until_interrupted(turn, self._patience)
        except BaseException:
            self._leave(task.namespace, place)
            raise
        if turn.done() and running.cause is None:
            return True
        self._leave(task.namespace, place)
        if running.cause is None:
            self._usual = UNKNOWN_SECONDS
        return False

    def give_back(self, seconds: float) -> None:
        """Pass a slot to the attempt of the lowest score in the namespace whose turn it is.

        Args:
            seconds: how long the slot was held.
        """
        self._usual += (seconds - self._usual) / SMOOTHING
        self._pass_on()

    def _leave(self, namespace: str, place: _Place) -> None:
        waiting = self._waiting.get(namespace, [])
        if place not in waiting:
            self._pass_on()
            return
        waiting.remove(place)
        heapify(waiting)
        if not waiting:
            del self._waiting[namespace]

    def _pass_on(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        namespace, waiting = next(iter(self._waiting.items()))
        _, _, turn = heappop(waiting)
        turn.set_result(None)
        if waiting:
            self._waiting.move_to_end(namespace)
        else:
            del self._waiting[namespace]
