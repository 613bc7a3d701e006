"""The queues of a worker that are paused, as far as it knows.

What it knows saves work and decides nothing: each claim finds out by itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from math import inf
from time import monotonic

from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.task import Queue

_PAUSE_SECONDS = 0.1
_log = logging.getLogger("taskq.server.worker")


class PausedQueues:
    """Know which queues are paused.

    A worker learns of pauses from each heartbeat, and before from a refused claim, from a sweep and
    by message; that a queue is resumed, by message or from a heartbeat. So it asks for nothing but
    what a message tells of.

    Args:
        names: of the worker's queues; others are none of its business.
        read: returns which queues of some names are paused.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        names: Collection[str],
        read: Callable[[Collection[str]], Awaitable[set[Queue]]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._names = frozenset(names)
        self._messages = {name.encode() for name in names}
        self._read = read
        self._clock = clock
        self._looked = -inf
        self._known: set[Queue] = set()
        self._lately: set[Queue] = set()
        self._asked = asyncio.Event()

    def __contains__(self, queue: object) -> bool:
        return queue in self._known

    def note(self, queue: Queue) -> None:
        """Remember that a queue is paused."""
        if queue.name in self._names:
            self._lately.add(queue)
            self._add(queue)

    def look(self, message: bytes) -> None:
        """Ask the database soon, because a message says that a queue was paused or resumed.

        Args:
            message: the name of the queue.
        """
        if message in self._messages:
            self._asked.set()

    def heard(
        self, paused: Collection[Queue], asked: float, on_resumed: Callable[[str], None]
    ) -> None:
        """Note what a heartbeat has told, unless a message has led to a later look meanwhile.

        Args:
            paused: the queues of this worker that are paused.
            asked: when the heartbeat asked, monotonic, in seconds.
            on_resumed: is told the namespace of each queue that goes on.
        """
        if asked < self._looked:
            return
        self._learn(set(paused), on_resumed)
        self._lately.clear()

    async def follow(self, on_resumed: Callable[[str], None]) -> None:
        """Look at the database after each message, for ever.

        Args:
            on_resumed: is told the namespace of each queue that goes on.
        """
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._lately.clear()
            asked = self._clock()
            try:
                found = await self._read(self._names)
            except DatabaseUnavailable:
                _log.debug("paused queues are told by the next heartbeat")
            except Exception:
                _log.exception("paused queues cannot be looked up")
            else:
                self._looked = asked
                self._learn(found, on_resumed)
            # A flood of messages makes no flood of reads.
            await asyncio.sleep(_PAUSE_SECONDS)

    def _learn(self, found: set[Queue], on_resumed: Callable[[str], None]) -> None:
        # What was noted while the database was asked may be newer than its answer.
        paused = found | self._lately
        resumed = self._known - paused
        for queue in sorted(paused):
            self._add(queue)
        self._known = paused
        for queue in sorted(resumed):
            _log.info("queue %s of namespace %s goes on", queue.name, queue.namespace)
            on_resumed(queue.namespace)

    def _add(self, queue: Queue) -> None:
        if queue not in self._known:
            self._known.add(queue)
            _log.info("queue %s of namespace %s is paused", queue.name, queue.namespace)
