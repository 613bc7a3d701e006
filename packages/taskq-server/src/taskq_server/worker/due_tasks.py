"""Tasks that are due according to the database, for a worker whose Redis is away."""

from collections.abc import Container, Mapping, Sequence

from taskq_server.domain.admission import Gate
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.task import Due, Queue
from taskq_server.handlers.registry import Place
from taskq_server.services.maintenance import Maintenance
from taskq_server.worker.admission import Admission
from taskq_server.worker.capacity import Capacity
from taskq_server.worker.doorbells import Arguments


class DueTasks:
    """Find the tasks that a worker may claim without a doorbell.

    Args:
        maintenance: asks the database.
        capacity: says for how many handlers there is a thread, or a process.
        admission: says whether there is a quarantine process.
        handlers: the names of handlers by where they run.
        paused: the queues that are known to be paused.
    """

    def __init__(
        self,
        maintenance: Maintenance,
        capacity: Capacity,
        admission: Admission,
        handlers: Mapping[Place, Sequence[str]],
        paused: Container[Queue] = (),
    ) -> None:
        self._maintenance = maintenance
        self._capacity = capacity
        self._admission = admission
        self._handlers = handlers
        self._paused = paused

    async def waiting(self, namespaces: Sequence[str]) -> Sequence[str]:
        """Return which of some namespaces may have something due; none if the database is away."""
        try:
            return await self._maintenance.waiting(namespaces)
        except DatabaseUnavailable:
            return []

    async def find(self, queue: Queue, room: int) -> list[Arguments]:
        """Return what is due in a queue, lowest score first; nothing if the database is away, too.

        Args:
            queue: a queue of one namespace.
            room: attempts, at most.
        """
        if queue in self._paused:
            return []
        limits = (
            (self._handlers[Place.LOOP], room),
            (self._handlers[Place.THREAD], min(room, self._capacity.threads(()))),
            (self._handlers[Place.PROCESS], min(room, self._capacity.processes())),
        )
        last_chance = self._admission.has_room(Gate.QUARANTINE)
        try:
            found = [
                one
                for names, limit in limits
                if names and limit > 0
                for one in await self._maintenance.due(queue, names, limit, last_chance=last_chance)
            ]
        except DatabaseUnavailable:
            return []
        return arguments(sorted(found, key=lambda one: one.score)[:room])


def arguments(found: Sequence[Due]) -> list[Arguments]:
    """Return what the doorbells of due tasks would say."""
    return [(str(one.task_id), one.attempt + 1) for one in found]
