"""Messages that tell of cancels. Whoever reaches Redis may send one: the row decides."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from uuid import UUID

from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.worker.runner import Runner

_PAUSE_SECONDS = 0.1
_log = logging.getLogger("taskq.server.worker")


class Cancels:
    """Look up in the database what a message says is to be cancelled, and cancel that.

    The first look is taken at once, and no other one for a tenth of a second: a flood of messages
    makes no flood of reads. What a look misses, the next heartbeat sees.

    Args:
        runner: has the attempts.
        asked: tells which of some tasks somebody asked to cancel, in one read.
    """

    def __init__(
        self, runner: Runner, asked: Callable[[Collection[UUID]], Awaitable[Collection[UUID]]]
    ) -> None:
        self._runner = runner
        self._asked = asked
        self._named: set[UUID] = set()
        self._looking: asyncio.Task[None] | None = None

    def hear(self, task_ids: Iterable[UUID]) -> None:
        """Look up those of some tasks that are here."""
        self._named |= self._runner.holds(task_ids)
        if self._named and self._looking is None:
            self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        try:
            while self._named:
                named, self._named = self._named, set()
                for task_id in await self._asked(named):
                    self._runner.cancel(task_id)
                # The answer to a claim may come after that to our question.
                self._named |= self._runner.claims(named)
                await asyncio.sleep(_PAUSE_SECONDS)
        except DatabaseUnavailable:
            _log.debug("cancels are not looked up: the database does not answer")
        except Exception:
            _log.exception("cancels cannot be looked up")
        finally:
            self._looking = None
