"""Attempts that one worker has no room for yet, and when they are asked for again.

The worker asks again as soon as it has room, lowest score first. It also rings for other workers,
which may have room by then: after a second, and then each time after twice as long. A worker pops
its own rings as well, so a ring that comes back is no reason to ask the database again.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from uuid import UUID

from taskq_server.domain.admission import Gate, NotNow
from taskq_server.domain.task import Due

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
TRUSTED_SECONDS = 60.0
"""So long is a refusal believed. A person may cancel and retry a task, which then needs no room of
that kind any more although its next attempt has the same number."""

Key = tuple[UUID, int]
"""Task id, and the attempt that is to come."""


@dataclass(slots=True)
class _Deferral:
    due: Due
    gate: Gate
    refused_at: float
    pause: float
    ring_at: float | None
    is_asked: bool = False


class Deferrals:
    """The deferred attempts of one worker.

    Args:
        most: how many are kept; what is beyond that is left to the janitors.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._kept: dict[Key, _Deferral] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def defer(self, refusal: NotNow, now: float) -> None:
        """Keep an attempt that was refused just now.

        Args:
            refusal: says which, and what has to be free.
            now: seconds of a clock that never goes back.
        """
        key = (refusal.due.task_id, refusal.due.attempt + 1)
        before = self._kept.get(key)
        if before is None and len(self._kept) >= self._most:
            return
        pause = FIRST_PAUSE_SECONDS if before is None else _longer(before.pause)
        self._kept[key] = _Deferral(refusal.due, refusal.gate, now, pause, now + pause)

    def forget(self, key: Key) -> None:
        """Forget an attempt that was answered otherwise."""
        self._kept.pop(key, None)

    def is_own_ring(self, key: Key, now: float) -> bool:
        """Return whether a doorbell is one that this worker rang for others; it is kept again.

        Args:
            key: what the doorbell says.
            now: seconds of a clock that never goes back.
        """
        kept = self._kept.get(key)
        if kept is None or kept.is_asked or kept.ring_at is not None:
            return False
        if now - kept.refused_at > TRUSTED_SECONDS:
            return False
        kept.ring_at = now + kept.pause
        return True

    def is_waiting(self, gate: Gate) -> bool:
        """Return whether an attempt waits for this gate."""
        return any(one.gate is gate for one in self._kept.values())

    def take(self, gate: Gate, room: int, passes: Callable[[Due], bool] | None = None) -> list[Key]:
        """Return attempts to ask for now that there is room, lowest score first.

        They count as asked until they are deferred again or forgotten.

        Args:
            gate: what is free.
            room: how many may pass; those that are asked already are among them.
            passes: is called for each, lowest score first, until there are enough; it may leave
                some out. None leaves out none.
        """
        if room <= 0:  # a worker looks after each attempt, and a full gate is the usual case
            return []
        waiting: dict[Key, _Deferral] = {}
        for key, one in self._kept.items():
            if one.gate is gate:
                if one.is_asked:
                    room -= 1
                else:
                    waiting[key] = one
        if room <= 0:
            return []
        if passes is None:
            first = nsmallest(room, waiting, key=lambda key: waiting[key].due.score)
        else:
            ordered = sorted(waiting, key=lambda key: waiting[key].due.score)
            first = list(islice((key for key in ordered if passes(waiting[key].due)), room))
        for key in first:
            waiting[key].is_asked = True
        return first

    def ring(self, now: float) -> list[Due]:
        """Return what to ring for, since other workers may have room.

        Args:
            now: seconds of a clock that never goes back.
        """
        return self._rung(lambda one: one.ring_at is not None and one.ring_at <= now)

    def ring_all(self) -> list[Due]:
        """Return what to ring for because this worker stops."""
        return self._rung(lambda one: one.ring_at is not None)

    def _rung(self, wanted: Callable[[_Deferral], bool]) -> list[Due]:
        found: Collection[_Deferral] = [
            one for one in self._kept.values() if wanted(one) and not one.is_asked
        ]
        for one in found:
            one.ring_at = None
            one.pause = _longer(one.pause)
        return [one.due for one in found]


def _longer(pause: float) -> float:
    return min(2 * pause, LONGEST_PAUSE_SECONDS)
