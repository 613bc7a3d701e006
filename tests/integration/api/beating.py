"""Workers that beat, share sweeps out and rescue on a real database, in a time that a test moves.

They run in one process and one after the other, so a thousand of them are possible.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from taskq_server.crud.tables import attempts
from taskq_server.domain.task import Outcome, Queue
from taskq_server.domain.worker import WorkerRow
from taskq_server.handlers.registry import Place, Registry
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import AttemptService
from taskq_server.services.declared_sweep import DeclaredSweep
from taskq_server.services.leases import Leases
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.queue_meter import QueueMeter
from taskq_server.services.sweeps import SweepService
from taskq_server.worker.arq_worker import Heads
from taskq_server.worker.hooks.runner import Hooks
from taskq_server.worker.janitor import Janitor
from taskq_server.worker.liveness.lease import Heartbeat
from taskq_server.worker.shares import Shares
from taskq_server.worker.vanished import Vanished

LEASE = 10.0
BEAT = LEASE / 5
STEP = 0.5


class Worker:
    """One worker; it stops beating when it is no longer asked to."""

    def __init__(self, runtime: Runtime, clock: Callable[[], float], phase: float) -> None:
        self.id = uuid4()
        self.phase = phase
        self.lost = False
        self._clock = clock
        self._runtime = runtime
        self._leases = Leases(runtime.database)
        attempts = runtime.attempts(has_failure_hooks=False)
        self.maintenance = Maintenance(
            runtime.database, runtime.clock.earliest, attempts, runtime.dispatcher
        )
        service = SweepService(runtime.database, runtime.clock)
        self.vanished = Vanished(self.maintenance, ["default"], LEASE, clock)
        self.janitor = self._janitor(attempts)
        self.shares = Shares(service, self.janitor.kinds, LEASE, lambda: self.id, clock)

    async def register(self) -> None:
        await self._leases.register(self._row())

    async def beat(self) -> None:
        beat = await self._leases.beat(self._row(), timedelta(seconds=LEASE))
        self.lost = beat is None
        if beat is not None:
            told = replace(Heartbeat.of(self.id, 0.0, beat), answered=self._clock())
            self.shares.heard(told)
            self.vanished.heard(told)
            await self.shares.turn()

    async def sweep(self) -> None:
        await self.shares.turn()
        await self.janitor.once(self.shares)

    def _janitor(self, attempts: AttemptService) -> Janitor:
        runtime = self._runtime
        hooks = Hooks(
            attempts,
            Registry({}),
            ["default"],
            runtime.clock.earliest,
            runtime.tracing,
            1.0,
            lambda: None,
        )
        return Janitor(
            runtime.settings,
            self.maintenance,
            vanished=self.vanished,
            served=["the same"],
            handlers={Place.LOOP: ["taskq.echo"], Place.THREAD: [], Place.PROCESS: []},
            namespaces=lambda: ["default"],
            heads=_empty,
            takes_bells=_takes_bells,
            has_room=lambda _: True,
            start=lambda _: None,
            replay_hooks=hooks.replay,
            fire=runtime.firing.sweep,
            bulk=runtime.bulk_work.sweep,
            declared=DeclaredSweep(runtime.database, runtime.clock, 10).sweep,
            measure=QueueMeter(runtime.database, runtime.clock.earliest).measure,
        )

    async def stop(self) -> None:
        await self._leases.unregister(self._row())

    def _row(self) -> WorkerRow:
        at = self._runtime.clock()
        return WorkerRow(
            id=self.id,
            name="n",
            queues="[]",
            handlers="[]",
            namespaces='["default"]',
            concurrency=1,
            started_at=at,
            heartbeat_at=at,
            lease_until=at,
        )


async def _empty(queues: Sequence[Queue]) -> dict[Queue, Heads]:
    return {queue: Heads(None, None) for queue in queues}


async def _takes_bells() -> bool:
    return True


class Beating:
    """Some workers and their time."""

    def __init__(self, runtime: Runtime) -> None:
        self.now = 1_000.0
        self._runtime = runtime
        self.workers: list[Worker] = []

    async def start(self, number: int) -> list[Worker]:
        """Start workers whose beats are spread over the time of one."""
        new = [Worker(self._runtime, lambda: self.now, n / number) for n in range(number)]
        for worker in new:
            await worker.register()
        self.workers += new
        return new

    async def passes(self, seconds: float, *, rescued: int | None = None) -> float:
        """Let time pass, and return how much has when so many tasks were rescued."""
        began = self.now
        while self.now < began + seconds:
            if rescued is not None and len(await self.rescued()) >= rescued:
                break
            before, self.now = self.now, self.now + STEP
            for worker in self.workers:
                at = worker.phase * BEAT
                if (self.now - at) // BEAT != (before - at) // BEAT:
                    await worker.beat()
                if self.now % 1.0 == 0:
                    await worker.sweep()
        return self.now - began

    @property
    def holders(self) -> dict[str, list[Worker]]:
        """Who takes care of each kind of sweep."""
        kinds = self.workers[0].janitor.kinds
        return {kind: [one for one in self.workers if one.shares.holds(kind)] for kind in kinds}

    async def rescued(self) -> list[UUID]:
        """The tasks that were rescued."""
        lost = select(attempts.c.task_id).where(attempts.c.outcome == Outcome.LOST)
        return list((await self._runtime.database.read(lambda c: c.execute(lost))).scalars())

    def kill(self, *workers: Worker) -> None:
        """Let workers do nothing any more."""
        self.workers = [one for one in self.workers if one not in workers]

    def holder(self) -> Worker:
        """The only worker that watches all of them."""
        (found,) = [one for one in self.workers if one.shares.holds(one.vanished.kind)]
        return found
