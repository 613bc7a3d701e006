"""The janitor: stage what lost its doorbell, rescue what lost its worker, replay hooks, prune."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError

from taskq_server.core.config import Settings
from taskq_server.core.errors import DatabaseUnavailable
from taskq_server.domain.lifecycle import Ended
from taskq_server.services.upkeep import Upkeep

_SETTLED = timedelta(seconds=2)
_RARELY_SECONDS = 30.0
_log = logging.getLogger("taskq.server.janitor")


class Janitor:
    """Sweep once a second, in every worker; two sweeps at once do no harm.

    Args:
        settings: how often, and how long final tasks are kept.
        upkeep: does the work.
        handlers: what this worker can run; it stages nothing else.
        heads: the lowest score of each queue in Redis.
        on_rescued: called with every attempt that was taken from a vanished worker.
        replay_hooks: runs hooks that should have run by now.
    """

    def __init__(
        self,
        settings: Settings,
        upkeep: Upkeep,
        handlers: Sequence[str],
        heads: Callable[[], Awaitable[dict[str, int | None]]],
        on_rescued: Callable[[Ended], None],
        replay_hooks: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._upkeep = upkeep
        self._handlers = handlers
        self._heads = heads
        self._on_rescued = on_rescued
        self._replay_hooks = replay_hooks

    async def run(self) -> None:
        """Sweep for ever."""
        await asyncio.gather(
            self._every(self._settings.janitor_seconds, self.sweep),
            self._every(_RARELY_SECONDS, self.tidy),
        )

    async def sweep(self) -> None:
        """Rescue, stage, and replay hooks."""
        for ended in await self._upkeep.rescue():
            _log.warning(
                "task %s was rescued from a vanished worker: it is %s",
                ended.task.id, ended.task.status,
            )  # fmt: skip
            self._on_rescued(ended)
        await self._stage()
        await self._replay_hooks()

    async def tidy(self) -> None:
        """Forget vanished workers and prune final tasks past retention."""
        await self._upkeep.forget_workers(timedelta(seconds=10 * self._settings.lease_seconds))
        retention = timedelta(days=self._settings.retention_days)
        while await self._upkeep.prune(retention):
            pass

    async def _stage(self) -> None:
        try:
            heads = await self._heads()
        except (RedisError, OSError, TimeoutError):
            return
        for queue, head in heads.items():
            staged = await self._upkeep.stage(queue, self._handlers, head=head, settled=_SETTLED)
            if staged:
                _log.info("rang again for %d tasks of queue %s", staged, queue)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await work()
            except DatabaseUnavailable:
                _log.debug("no sweep: the database does not answer")
            except Exception:
                _log.exception("a sweep failed")
            await asyncio.sleep(seconds)
