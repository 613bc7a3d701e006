"""How many attempts of some queues a worker has under way at most, whatever room there is else."""

from collections import Counter
from collections.abc import Mapping


class QueueLimits:
    """The limits of one worker, and what counts towards them.

    An attempt counts from its doorbell to the commit of its end. Equal names of several namespaces
    are one queue here. A worker without limits keeps no account.

    Args:
        limits: by the names of queues, the most attempts at once.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._queues: dict[str, str] = {}
        self._under_way: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._limits)

    def __contains__(self, queue: str) -> bool:
        return queue in self._limits

    def room(self, queue: str, most: int) -> int:
        """Return how many attempts more of a queue may start.

        Args:
            queue: its name.
            most: as many as there is room for without its limit.
        """
        limit = self._limits.get(queue)
        return most if limit is None else min(most, max(0, limit - self._under_way[queue]))

    def start(self, key: str, queue: str) -> None:
        """Count an attempt of a queue from now on, once.

        Args:
            key: of the attempt.
            queue: the name of its queue.
        """
        if queue in self._limits and key not in self._queues:
            self._queues[key] = queue
            self._under_way[queue] += 1

    def admit(self, key: str, queue: str) -> bool:
        """Count an attempt from now on if its queue has room; return whether it has."""
        if key not in self._queues and self.room(queue, 1) == 0:
            return False
        self.start(key, queue)
        return True

    def end(self, key: str) -> None:
        """Count an attempt no more."""
        queue = self._queues.pop(key, None)
        if queue is not None:
            self._under_way[queue] -= 1


NO_LIMITS = QueueLimits({})
"""Those of most workers."""
