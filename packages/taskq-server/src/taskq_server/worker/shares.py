"""The sweeps that this worker takes care of, for itself and for the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from time import monotonic
from uuid import UUID

from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.sweeps import Elections
from taskq_server.services.sweeps import SweepService
from taskq_server.worker.liveness.lease import Heartbeat

_AGAIN_SECONDS = 1.0
_log = logging.getLogger("taskq.server.janitor")


class Shares:
    """Take sweeps that nobody takes care of, and keep them as long as the event loop runs.

    Each beat tells who takes care of what, so a worker that holds nothing asks nothing. Renewals
    come from the event loop, which does the sweeps, and not from the thread of the lease: a worker
    whose loop stands still loses them to another one.

    Args:
        service: keeps the rows.
        kinds: what this worker can take.
        lease_seconds: of a kind, as of a worker.
        holder: returns the id of this worker while its lease is valid.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        service: SweepService,
        kinds: Collection[str],
        lease_seconds: float,
        holder: Callable[[], UUID | None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._service = service
        self._holder = holder
        self._clock = clock
        self._elections = Elections(kinds, lease_seconds)
        self._worker_id: UUID | None = None
        self._is_renewed = True
        self._told = asyncio.Event()
        self._taken = asyncio.Event()

    def heard(self, beat: Heartbeat) -> None:
        """Note what a beat has told."""
        self._note(beat.worker_id)
        self._elections.heard(beat.worker_id, beat.shares, beat.answered)
        self._is_renewed = False
        self._told.set()

    def holds(self, kind: str) -> bool:
        """Return whether this worker takes care of a kind."""
        return self._holder() is not None and self._elections.holds(kind, self._clock())

    async def pause(self, seconds: float) -> None:
        """Return after some seconds, or as soon as this worker takes care of something new."""
        try:
            async with asyncio.timeout(seconds):
                await self._taken.wait()
        except TimeoutError:
            return

    async def run(self) -> None:
        """Renew and take, for ever."""
        await self._try(self._look)
        while True:
            await self._try(self.turn)
            left = self._elections.next(self._clock())
            self._told.clear()
            try:
                async with asyncio.timeout(left):
                    await self._told.wait()
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """Renew what this worker has once for each beat, and take what is free.

        Raises:
            DatabaseUnavailable: nothing was changed, or nobody knows.
        """
        worker_id = self._holder()
        if worker_id is None:
            return
        self._note(worker_id)
        asked, mine = self._clock(), self._elections.mine
        if mine and not self._is_renewed:
            if await self._service.renew(mine, worker_id):
                self._elections.renewed(asked)
            else:
                self._elections.drop()
                return  # the next beat tells what is left
        self._is_renewed = True
        await self._take(worker_id)

    async def _take(self, worker_id: UUID) -> None:
        asked = self._clock()
        for kind, seen in self._elections.free(asked).items():
            is_mine = await self._service.take(kind, worker_id, seen)
            self._elections.tried(kind, (seen or 0) + 1 if is_mine else None, asked)
            if is_mine:
                self._taken.set()
                self._taken = asyncio.Event()

    async def _look(self) -> None:
        worker_id = self._holder()
        if worker_id is not None:
            shares = await self._service.shares()
            self._elections.heard(worker_id, shares, self._clock())

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except DatabaseUnavailable:
            _log.debug("sweeps are shared out when the database answers")
            await asyncio.sleep(_AGAIN_SECONDS)
        except Exception:
            _log.exception("cannot share sweeps out")
            await asyncio.sleep(_AGAIN_SECONDS)

    def _note(self, worker_id: UUID) -> None:
        """Give up all that it had under another id."""
        if self._worker_id not in (None, worker_id):
            self._elections.drop()
        self._worker_id = worker_id
