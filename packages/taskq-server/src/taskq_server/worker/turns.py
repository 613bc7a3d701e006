"""Whose doorbells a worker looks at next: namespaces take turns."""

from collections.abc import Callable, Iterable
from math import inf

_FEW = 4
MOST_AT_ONCE = 1_000
"""Queues of one call, because Redis runs nothing else meanwhile."""


class NamespaceTurns:
    """The namespaces of one worker, those first that were served least lately.

    A few are looked at whenever there is room. Of many, those are that were rung for or have had
    more than there was room for, and all of them now and then, because messages get lost and time
    passes. So what a look costs grows with what there is to do.

    Args:
        namespaces: the first of them.
        seconds: longest time between two looks at all of them.
        now: a monotonic clock, in seconds.
    """

    def __init__(self, namespaces: Iterable[str], seconds: float, now: Callable[[], float]) -> None:
        self._order = dict.fromkeys(namespaces)
        self._rung: set[str] = set()
        self._seconds = seconds
        self._now = now
        self._all_at = -inf

    def serve(self, namespaces: Iterable[str]) -> None:
        """Look at these namespaces from now on, the new ones after the others."""
        wanted = dict.fromkeys(namespaces)
        kept = {name: None for name in self._order if name in wanted}
        self._order = kept | wanted
        self._all_at = -inf

    def rung(self, namespace: str) -> None:
        """Note that there may be something in a namespace."""
        self._rung.add(namespace)

    def take(self) -> list[str]:
        """Return whose doorbells to look at now."""
        names = list(self._order)
        if len(names) > _FEW and self._now() < self._all_at:
            names = [name for name in names if name in self._rung]
        else:
            self._all_at = self._now() + self._seconds
        # Before the look, so that what is rung during it counts.
        self._rung.difference_update(names)
        return names

    def looked(self, gave: Iterable[str], more: Iterable[str], next_in: float) -> None:
        """Note what a look has found.

        Args:
            gave: the namespaces that had something, which are last from now on.
            more: those that have more that is due.
            next_in: seconds until something else is due in one of those that were looked at.
        """
        for name in gave:
            if name in self._order:
                del self._order[name]
                self._order[name] = None
        self._rung.update(more)
        self._all_at = min(self._all_at, self._now() + next_in)

    @property
    def pause(self) -> float:
        """The seconds until all have to be looked at."""
        return max(0.0, self._all_at - self._now())
