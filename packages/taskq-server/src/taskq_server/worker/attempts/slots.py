"""How many handlers may run, and how many attempts may be claimed before there is a slot for them.

A worker that claims no more than it has slots for waits for its database while they are empty. For
handlers of a second that is nothing, for handlers of a millisecond it is most of the time. So as
long as handlers are short, as many attempts again are claimed ahead. One that has no slot after all
goes back to its queue, uncharged, since another worker may have room. Who waits, waits by score.
"""

import asyncio
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
        patience: seconds that an attempt waits for a slot before it goes back.
    """

    def __init__(self, limit: int, patience: float = 0.5) -> None:
        self._limit = limit
        self._patience = patience
        self._free = limit
        self._waiting: list[_Place] = []
        self._arrivals = count()
        self._usual = UNKNOWN_SECONDS

    @property
    def claimable(self) -> int:
        """How many attempts may be claimed or running."""
        return self._limit * (2 if self._usual < SHORT_SECONDS else 1)

    async def take(self, running: RunningAttempt) -> bool:
        """Wait for a slot; False if the attempt is interrupted, or there is none for too long."""
        if running.cause is not None:
            return False
        if self._free:
            self._free -= 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = running.task
        place = (score(task.due_at, task.priority), next(self._arrivals), turn)
        heappush(self._waiting, place)
        try:
            await running.until_interrupted(turn, self._patience)
        except BaseException:
            self._leave(place)
            raise
        if turn.done() and running.cause is None:
            return True
        self._leave(place)
        if running.cause is None:
            self._usual = UNKNOWN_SECONDS
        return False

    def give_back(self, seconds: float) -> None:
        """Leave a slot to whoever waits with the lowest score.

        Args:
            seconds: how long it was held.
        """
        self._usual += (seconds - self._usual) / SMOOTHING
        self._pass_on()

    def _leave(self, place: _Place) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
            heapify(self._waiting)
        else:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            _, _, turn = heappop(self._waiting)
            turn.set_result(None)
        else:
            self._free += 1
