"""The janitor: ring anew, rescue what lost its worker, replay hooks, fire schedules, tidy."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import NamedTuple

from redis.exceptions import RedisError

from taskq_server.core.config import Settings
from taskq_server.core.log_context import about_group
from taskq_server.domain.admission import Gate
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.sweeps import kind_of
from taskq_server.domain.task import Due, Queue
from taskq_server.handlers.registry import Place
from taskq_server.services.maintenance import Maintenance
from taskq_server.worker.arq_worker import Heads
from taskq_server.worker.shares import Shares
from taskq_server.worker.vanished import Vanished

_TAGS_ARE_KEPT = timedelta(minutes=10)
_SWEEPS_ARE_KEPT = timedelta(days=1)
_SETTLED = timedelta(seconds=2)
_NOW_AND_THEN_SECONDS = 5.0
_RARELY_SECONDS = 30.0
_PRUNING_SECONDS = 20.0
_SOON_SECONDS = 0.05
_FOR_OTHERS = 10
_log = logging.getLogger("taskq.server.janitor")


class Sweep(NamedTuple):
    """One kind of sweep.

    Attributes:
        kind: one worker of the deployment takes care of it.
        seconds: between two sweeps.
        what: in words.
        work: does it.
        otherwise: is done in its place by a worker that does not take care of it.
    """

    kind: str
    seconds: float
    what: str
    work: Callable[[], Awaitable[object]]
    otherwise: Callable[[], Awaitable[object]] | None = None


class Janitor:
    """Sweep, each kind in one worker at a time; two at once do no harm.

    It fires schedules, puts declared ones in force, works through bulk operations, compacts,
    measures, prunes and forgets for all namespaces, because one may have no worker any more. It
    rescues for workers of the same namespaces, and stages and replays hooks for those that run the
    same handlers, too: it may start only their tasks, and knows only their hooks.

    Args:
        settings: how often, and how long final tasks are kept.
        maintenance: does the work.
        vanished: finds workers that are gone, and rescues their tasks.
        served: all that tells apart what workers can run.
        handlers: what this worker can run, by where it runs; it stages nothing else.
        namespaces: returns whose tasks this worker runs now.
        heads: the lowest scores of some queues in Redis.
        takes_bells: whether Redis takes doorbells; while it does not, each worker stages itself.
        has_room: whether this worker has a process to spare, of those behind a gate. Without one it
            rings only now and then for tasks that need one, for workers that have one.
        start: starts what had lost its doorbell, all of one queue, as far as there is room: Redis
            may take no bells.
        replay_hooks: runs hooks that should have run by now.
        fire: fires schedules that are due.
        bulk: works through bulk operations.
        declared: puts in force what handlers declare.
        measure: measures the queues, unless somebody else has done it in this minute.
        paused: the queues that are known to be paused; they are not staged.
    """

    def __init__(
        self,
        settings: Settings,
        maintenance: Maintenance,
        *,
        vanished: Vanished,
        served: Sequence[str],
        handlers: Mapping[Place, Sequence[str]],
        namespaces: Callable[[], Sequence[str]],
        heads: Callable[[Sequence[Queue]], Awaitable[dict[Queue, Heads]]],
        takes_bells: Callable[[], Awaitable[bool]],
        has_room: Callable[[Gate], bool],
        start: Callable[[Sequence[Due]], None],
        replay_hooks: Callable[[], Awaitable[None]],
        fire: Callable[[], Awaitable[None]],
        bulk: Callable[[], Awaitable[None]],
        declared: Callable[[], Awaitable[None]],
        measure: Callable[[], Awaitable[object]],
        paused: Container[Queue] = (),
    ) -> None:
        self._settings = settings
        self._maintenance = maintenance
        self._handlers = handlers
        self._namespaces = namespaces
        self._sweeps = 0
        self._for_others = False
        self._heads = heads
        self._takes_bells = takes_bells
        self._has_room = has_room
        self._start = start
        self._replay_hooks = replay_hooks
        self._measure = measure
        self._paused = paused
        self._vanished = vanished
        often, sometimes = settings.janitor_seconds, _NOW_AND_THEN_SECONDS
        stage, hooks = kind_of("stage", served), kind_of("hooks", served)
        # Workers that are told to keep tasks for another time sweep for themselves.
        prune, tidy = (kind_of(name, [repr(settings.retention)]) for name in ("prune", "tidy"))
        self._all = (
            Sweep(
                vanished.kind, often, "rescue tasks of vanished workers", self.rescue,
                vanished.look_in_doubt,
            ),
            Sweep(
                stage, often, "ring for tasks that lost their doorbell", self.stage,
                self.stage_without_bells,
            ),
            Sweep(hooks, often, "replay hooks", replay_hooks),
            Sweep("schedules", often, "fire schedules", fire),
            Sweep("bulk", often, "work through bulk operations", bulk),
            Sweep("declared", sometimes, "put in force what handlers declare", declared),
            Sweep("compact", sometimes, "compact the ledger of tasks", self.compact),
            Sweep("measure", sometimes, "measure the queues", measure),
            Sweep(prune, sometimes, "prune what is past retention", self.prune),
            Sweep(tidy, _RARELY_SECONDS, "forget what nothing needs any more", self.tidy),
        )  # fmt: skip

    @property
    def kinds(self) -> list[str]:
        """The kinds of sweeps that this worker can do."""
        return [sweep.kind for sweep in self._all]

    async def run(self, shares: Shares) -> None:
        """Sweep for ever.

        Args:
            shares: say which sweeps this worker takes care of.
        """
        # What lost its doorbell with a deployment that was killed need not wait for its leases.
        await self._try(self._all[1], self.stage)
        await asyncio.gather(*(self._every(sweep, shares) for sweep in self._all))

    async def rescue(self) -> None:
        """Take tasks back from workers that vanished."""
        await self._vanished.sweep()

    async def stage(self) -> None:
        """Ring for what lost its doorbell, and start it: Redis may not take the bell either.

        Each time another namespace is first. Now and then it rings also for what finds no room
        here, because the worker with room may be another one.
        """
        served = self._namespaces()
        self._sweeps += 1
        self._for_others = self._sweeps % _FOR_OTHERS == 0
        first = self._sweeps % max(1, len(served))
        waiting = await self._maintenance.waiting([*served[first:], *served[:first]])
        queues = [
            queue
            for name in self._settings.queue_names
            for queue in (Queue(each, name) for each in waiting)
            if queue not in self._paused
        ]
        if not queues:
            return
        try:
            heads = await self._heads(queues)
        except (RedisError, OSError, TimeoutError):
            return
        for queue, head in heads.items():
            names = [*self._handlers[Place.LOOP]]
            if self._for_others or self._has_room(Gate.PROCESS):
                names += self._handlers[Place.PROCESS]
            await self._stage(queue, names, head.queue)
            # Their doorbells may be here or aside.
            known = [one for one in head if one is not None]
            await self._stage(queue, self._handlers[Place.THREAD], min(known, default=None))

    async def stage_without_bells(self) -> None:
        """Stage while Redis takes no bells, so that not only one worker starts what waits."""
        if not await self._takes_bells():
            await self.stage()

    async def _stage(self, queue: Queue, handlers: Sequence[str], head: int | None) -> None:
        if not handlers:
            return
        staged = await self._maintenance.stage(
            queue,
            handlers,
            head=head,
            settled=_SETTLED,
            last_chance=self._for_others or self._has_room(Gate.QUARANTINE),
        )
        if staged:
            _log.info(
                "rang again for %d tasks of queue %s", len(staged), queue.name,
                extra={"items": len(staged)},
            )  # fmt: skip
            self._start(staged)

    async def compact(self) -> None:
        """Keep the ledger of tasks short."""
        while await self._maintenance.compact():
            pass

    async def prune(self) -> None:
        """Delete tasks past retention until none is left, or for some time.

        It ends now and then, so that another janitor may go on.
        """
        until = monotonic() + _PRUNING_SECONDS
        while await self._maintenance.prune(self._settings.retention) and monotonic() < until:
            pass

    async def tidy(self) -> None:
        """Forget ended workers, operations and sessions, old minutes, and tags without tasks."""
        longest = self._settings.retention.longest
        await self._maintenance.forget_sweeps(_SWEEPS_ARE_KEPT)
        await self._maintenance.forget_workers(longest)
        while await self._maintenance.forget_operations(longest):
            pass
        while await self._maintenance.forget_tags(_TAGS_ARE_KEPT):
            pass
        while await self._maintenance.forget_sessions():
            pass
        while await self._maintenance.forget_minutes():
            pass

    async def once(self, shares: Shares) -> None:
        """Do each sweep once that this worker takes care of."""
        for sweep in self._all:
            await self._once(sweep, shares)

    async def _every(self, sweep: Sweep, shares: Shares) -> None:
        while True:
            await self._once(sweep, shares)
            pause = sweep.seconds
            if sweep.kind == self._vanished.kind:  # as soon as a lease is over
                pause = max(_SOON_SECONDS, min(pause, self._vanished.next() or pause))
            await shares.pause(pause)

    async def _once(self, sweep: Sweep, shares: Shares) -> None:
        if shares.holds(sweep.kind):
            await self._try(sweep, sweep.work)
        elif sweep.otherwise is not None:
            await self._try(sweep, sweep.otherwise)

    async def _try(self, sweep: Sweep, work: Callable[[], Awaitable[object]]) -> None:
        with about_group(f"the janitor: {sweep.what}"):
            try:
                await work()
            except DatabaseUnavailable:
                _log.debug("cannot %s: the database does not answer", sweep.what)
            except Exception:
                _log.exception("cannot %s; it is tried again in %g s", sweep.what, sweep.seconds)
