"""How many handlers may run, and how many attempts may be claimed before there is a slot for them.

A worker that claims no more than it has slots for waits for its database while they are empty. For
handlers of a second that is nothing, for handlers of a millisecond it is most of the time. So as
long as handlers are short, as many attempts again are claimed ahead. One that has no slot after all
goes back to its queue, uncharged, since another worker may have room.
"""

import asyncio
from collections import deque

from taskq_server.worker.running import Running

_SHORT_SECONDS = 0.02
_UNKNOWN = 1.0
_SMOOTHING = 16


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
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._usual = _UNKNOWN

    @property
    def claimable(self) -> int:
        """How many attempts may be claimed or running."""
        return self._limit * (2 if self._usual < _SHORT_SECONDS else 1)

    async def take(self, running: Running) -> bool:
        """Wait for a slot; False if the attempt is interrupted, or there is none for too long."""
        if self._free:
            self._free -= 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await running.until_interrupted(turn, self._patience)
        except BaseException:
            self._leave(turn)
            raise
        if turn.done() and running.cause is None:
            return True
        self._leave(turn)
        if running.cause is None:
            self._usual = _UNKNOWN
        return False

    def give_back(self, seconds: float) -> None:
        """Leave a slot to whoever waits longest.

        Args:
            seconds: how long it was held.
        """
        self._usual += (seconds - self._usual) / _SMOOTHING
        self._pass_on()

    def _leave(self, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self._pass_on()
        turn.cancel()

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
