"""Attempts that were refused for want of room: kept here, and started when there is some."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import monotonic
from uuid import UUID

from taskq_server.domain.admission import Gate, NotNow
from taskq_server.domain.deferrals import Deferrals
from taskq_server.domain.task import Due, Queue
from taskq_server.services.attempts import Claim
from taskq_server.worker.doorbells import Arguments, key_of

_LOOK_SECONDS = 0.25


def _passes(admit: Callable[[str, str], bool], due: Due) -> bool:
    return admit(key_of((str(due.task_id), due.attempt + 1)), due.queue)


class Admission:
    """The attempts that one worker has no room for yet.

    Refusals of other gates are not kept, because their attempts are rung aside at once, where
    workers with room find them.

    Args:
        rooms: how many attempts each gate would let pass now.
        ring: rings for other workers.
        on_paused: told of the queue of a claim that was refused because it is paused.
    """

    def __init__(
        self,
        rooms: Mapping[Gate, Callable[[], int]],
        ring: Callable[[Sequence[Due]], None],
        on_paused: Callable[[Queue], None] = lambda queue: None,
    ) -> None:
        self._rooms = rooms
        self._ring = ring
        self._on_paused = on_paused
        self._deferrals = Deferrals()

    def has_room(self, gate: Gate) -> bool:
        """Return whether a gate would let an attempt pass that nobody here waits with."""
        return self._rooms[gate]() > 0 and not self._deferrals.is_waiting(gate)

    def admits(self, doorbell: Arguments) -> bool:
        """Return whether to ask the database for what a doorbell names."""
        if not self._deferrals:
            return True
        return not self._deferrals.is_own_ring((UUID(doorbell[0]), doorbell[1]), monotonic())

    def ready(self, most: int, admit: Callable[[str, str], bool] | None = None) -> list[Arguments]:
        """Return what there is room for by now.

        Args:
            most: attempts, at most.
            admit: takes an attempt's key and its queue, and returns whether it may be among them.
        """
        ready: list[Arguments] = []
        if not self._deferrals or most <= 0:
            return ready

        passes = None if admit is None else partial(_passes, admit)
        for gate, room in self._rooms.items():
            taken = self._deferrals.take(gate, min(most - len(ready), room()), passes)
            ready += [(str(task_id), attempt) for task_id, attempt in taken]
        return ready

    def answered(self, task_id: UUID, attempt: int, answer: Claim | NotNow | None) -> None:
        """Keep an attempt that was refused for want of room, and forget any other."""
        if isinstance(answer, NotNow):
            if answer.gate in self._rooms:
                self._deferrals.defer(answer, monotonic())
                return
            if answer.gate is Gate.QUEUE:
                self._on_paused(Queue(answer.due.namespace, answer.due.queue))
        if self._deferrals:
            self._deferrals.forget((task_id, attempt))

    def give_up(self) -> None:
        """Ring for all that is kept, because this worker starts nothing any more."""
        self._ring(self._deferrals.ring_all())

    async def ring_for_ever(self) -> None:
        """Ring for other workers when it is time."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._ring(self._deferrals.ring(monotonic()))
