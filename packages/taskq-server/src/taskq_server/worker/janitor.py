"""The janitor: stage what lost its doorbell, rescue what lost its worker, replay hooks, tidy."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

from redis.exceptions import RedisError

from taskq_server.core.config import Settings
from taskq_server.core.log_context import about_group
from taskq_server.domain.admission import Gate
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.task import Due, Queue
from taskq_server.handlers.registry import Place
from taskq_server.services.maintenance import Maintenance
from taskq_server.worker.arq_worker import Heads

_TAGS_ARE_KEPT = timedelta(minutes=10)
_SETTLED = timedelta(seconds=2)
_NOW_AND_THEN_SECONDS = 5.0
_RARELY_SECONDS = 30.0
_PRUNING_SECONDS = 20.0
_log = logging.getLogger("taskq.server.janitor")


class Janitor:
    """Sweep once a second, in every worker; two sweeps at once do no harm.

    It stages, rescues and replays hooks for the namespaces of this worker, because it may start
    only their tasks. It works through bulk operations, compacts, prunes and forgets for all,
    because a namespace may have no worker any more.

    Args:
        settings: how often, and how long final tasks are kept.
        maintenance: does the work.
        handlers: what this worker can run, by where it runs; it stages nothing else.
        namespaces: returns whose tasks this worker runs now.
        heads: the lowest scores of some queues in Redis.
        has_room: whether this worker has a process to spare, of those behind a gate. Without one it
            rings for no task that needs one, because workers that have one ring themselves.
        start: starts what had lost its doorbell, all of one queue, as far as there is room: Redis
            may take no bells.
        replay_hooks: runs hooks that should have run by now.
        bulk: works through bulk operations.
        measure: measures the queues, unless somebody else has done it in this minute.
        paused: the queues that are known to be paused; they are not staged.
    """

    def __init__(
        self,
        settings: Settings,
        maintenance: Maintenance,
        *,
        handlers: Mapping[Place, Sequence[str]],
        namespaces: Callable[[], Sequence[str]],
        heads: Callable[[Sequence[Queue]], Awaitable[dict[Queue, Heads]]],
        has_room: Callable[[Gate], bool],
        start: Callable[[Sequence[Due]], None],
        replay_hooks: Callable[[], Awaitable[None]],
        bulk: Callable[[], Awaitable[None]],
        measure: Callable[[], Awaitable[object]],
        paused: Container[Queue] = (),
    ) -> None:
        self._settings = settings
        self._maintenance = maintenance
        self._handlers = handlers
        self._namespaces = namespaces
        self._sweeps = 0
        self._heads = heads
        self._has_room = has_room
        self._start = start
        self._replay_hooks = replay_hooks
        self._bulk = bulk
        self._measure = measure
        self._paused = paused

    async def run(self) -> None:
        """Sweep for ever."""
        often = self._settings.janitor_seconds
        await asyncio.gather(
            self._every(often, "rescue tasks of vanished workers", self.rescue),
            self._every(often, "ring for tasks that lost their doorbell", self.stage),
            self._every(often, "replay hooks", self._replay_hooks),
            self._every(often, "work through bulk operations", self._bulk),
            self._every(_NOW_AND_THEN_SECONDS, "compact the ledger of tasks", self.compact),
            self._every(_NOW_AND_THEN_SECONDS, "measure the queues", self._measure),
            self._every(_NOW_AND_THEN_SECONDS, "prune what is past retention", self.prune),
            self._every(_RARELY_SECONDS, "forget what nothing needs any more", self.tidy),
        )

    async def rescue(self) -> None:
        """Take tasks back from workers that vanished."""
        await self._maintenance.rescue(self._settings.served_namespaces)

    async def stage(self) -> None:
        """Ring for what lost its doorbell, and start it: Redis may not take the bell either.

        Each time another namespace is first.
        """
        served = self._namespaces()
        self._sweeps += 1
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
            if self._has_room(Gate.PROCESS):
                names += self._handlers[Place.PROCESS]
            await self._stage(queue, names, head.queue)
            # Their doorbells may be here or aside.
            known = [one for one in head if one is not None]
            await self._stage(queue, self._handlers[Place.THREAD], min(known, default=None))

    async def _stage(self, queue: Queue, handlers: Sequence[str], head: int | None) -> None:
        if not handlers:
            return
        staged = await self._maintenance.stage(
            queue,
            handlers,
            head=head,
            settled=_SETTLED,
            last_chance=self._has_room(Gate.QUARANTINE),
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
        """Forget ended workers and operations, minutes past retention, and tags without tasks."""
        longest = self._settings.retention.longest
        await self._maintenance.forget_workers(longest)
        while await self._maintenance.forget_operations(longest):
            pass
        while await self._maintenance.forget_tags(_TAGS_ARE_KEPT):
            pass
        while await self._maintenance.forget_minutes():
            pass

    async def _every(self, seconds: float, what: str, work: Callable[[], Awaitable[Any]]) -> None:
        with about_group(f"the janitor: {what}"):
            await self._for_ever(seconds, what, work)

    async def _for_ever(
        self, seconds: float, what: str, work: Callable[[], Awaitable[Any]]
    ) -> None:
        while True:
            try:
                await work()
            except DatabaseUnavailable:
                _log.debug("cannot %s: the database does not answer", what)
            except Exception:
                _log.exception("cannot %s; it is tried again in %g s", what, seconds)
            await asyncio.sleep(seconds)
