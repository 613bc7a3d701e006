"""Cancel messages from Redis. The row decides, because any program may have sent a message."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from uuid import UUID

from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.worker.runner import Runner

_PAUSE_SECONDS = 0.1
_log = logging.getLogger("taskq.server.worker")


class Cancels:
    """Read from the database whether the tasks of a message are to be cancelled, and cancel them.

    The first read happens at once, and the next one a tenth of a second later, so that a flood of
    messages makes no flood of reads. The next heartbeat finds cancels that a read misses.

    Args:
        runner: runs the attempts.
        asked: returns the tasks, of some, whose cancellation was requested, in one read.
    """

    def __init__(
        self, runner: Runner, asked: Callable[[Collection[UUID]], Awaitable[Collection[UUID]]]
    ) -> None:
        self._runner = runner
        self._asked = asked
        self._named: set[UUID] = set()
        self._looking: asyncio.Task[None] | None = None

    def note(self, task_ids: Iterable[UUID]) -> None:
        """Look up the tasks of a message that this worker runs."""
        self._named |= self._runner.holds(task_ids)
        if self._named and self._looking is None:
            self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Stop reading."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        try:
            while self._named:
                named, self._named = self._named, set()
                for task_id in await self._asked(named):
                    self._runner.cancel(task_id)
                # A claim under way may be answered after this read.
                self._named |= self._runner.claims(named)
                await asyncio.sleep(_PAUSE_SECONDS)
        except DatabaseUnavailable:
            _log.debug("cancels are not looked up: the database does not answer")
        except Exception:
            _log.exception("cancels cannot be looked up")
        finally:
            self._looking = None
