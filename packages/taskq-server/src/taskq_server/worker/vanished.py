"""Workers that vanished: found by their counters, and their tasks taken back."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from uuid import UUID

from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.sweeps import Share, kind_of
from taskq_server.domain.watch import Watch
from taskq_server.services.maintenance import Maintenance
from taskq_server.worker.liveness.lease import Heartbeat

_DOUBTFUL = 0.3
"""The part of a lease after which the others doubt that the one that watches lives: 1.5 beats."""


class Vanished:
    """Watch the counters of workers, and rescue the tasks of those that stood still for a lease.

    Of those that serve the same namespaces only one watches all workers. The others watch this one,
    which costs nothing, because each beat tells its counter. As soon as they doubt that it lives
    they look once at the counters of all, so that the next one need not begin to watch when it
    takes over.

    Args:
        maintenance: reads and ends leases, and rescues.
        namespaces: whose tasks are rescued; `*` among them stands for all.
        lease_seconds: of a worker.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        maintenance: Maintenance,
        namespaces: Sequence[str],
        lease_seconds: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.kind = kind_of("rescue", sorted(namespaces))
        self._maintenance = maintenance
        self._namespaces = namespaces
        self._doubtful = lease_seconds * _DOUBTFUL
        self._clock = clock
        self._workers: Watch[UUID] = Watch(lease_seconds)
        self._watcher: Watch[str] = Watch(lease_seconds)
        self._looked: Mapping[str, int] = {}

    def heard(self, beat: Heartbeat) -> None:
        """Note what a beat has told about the holders of sweeps."""
        self._note([one for one in beat.shares if one.holder != beat.worker_id], beat.answered)

    def _note(self, others: Sequence[Share], now: float) -> None:
        counted = {
            one.holder: one.holder_beats
            for one in others
            if one.holder is not None and one.holder_beats is not None
        }
        self._workers.saw(counted, now)
        watchers = {one.kind: one.beats for one in others if one.kind == self.kind and one.holder}
        self._watcher.keep(watchers)
        self._watcher.saw(watchers, now)

    async def look_in_doubt(self) -> None:
        """Look once at the counters of all workers if the one that watches them does not beat.

        Raises:
            DatabaseUnavailable: nobody knows.
        """
        doubted = self._watcher.unchanged(self._doubtful, self._clock())
        if doubted and doubted != self._looked:
            await self._look()
            self._looked = doubted

    async def sweep(self) -> list[AttemptEnded]:
        """Look, end the leases of workers that vanished, and take their tasks back.

        Raises:
            DatabaseUnavailable: nothing was changed, or nobody knows.
        """
        live = await self._look()
        still = self._workers.still(self._clock())
        if still:
            await self._maintenance.mark_lost(still)
            live = await self._look()  # without those that are lost, and with those that are not
        return await self._maintenance.rescue(live, self._namespaces)

    async def _look(self) -> Mapping[UUID, int]:
        live = await self._maintenance.beats()
        self._workers.keep(live)
        self._workers.saw(live, self._clock())
        return live

    def next(self) -> float | None:
        """Return in how many seconds a worker will be lost, if none beats."""
        return self._workers.next(self._clock())
