"""Detect a database that hangs, as opposed to one that is busy.

A statement may take long because it is big, or because it waits for a lock. While a caller waits
for long, a probe runs a trivial query on another connection. If the probe gets no answer either,
the database hangs, and all waiting callers fail at once. While the database answers in time, no
probe runs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from taskq_server.core.log_context import apart
from taskq_server.core.loop_timeout import LoopTimeout

_PARTS = 6


class HangDetector:
    """Limit the waits for a database, and end them if the database hangs.

    Args:
        ping: runs the query of a probe on a connection of its own; an error counts as an answer.
        seconds: time without an answer after which the database counts as hung.
        on_return: called before callers are let in again; it must not use the open connections,
            because they may be dead.
        again_seconds: time to wait for the answer of a hung database, before the next probe uses
            another connection.
    """

    def __init__(
        self,
        ping: Callable[[], Awaitable[None]],
        seconds: float,
        on_return: Callable[[], None],
        *,
        again_seconds: float = 10.0,
    ) -> None:
        self._ping = ping
        self._seconds = seconds
        self._part = seconds / _PARTS
        self._again = again_seconds
        self._on_return = on_return
        self._waiting: dict[LoopTimeout, float] = {}
        self._watch: asyncio.Task[None] | None = None
        self._silent = False

    @asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[LoopTimeout]:
        """Run the block with a time limit in seconds, and not while the database hangs.

        Raises:
            TimeoutError: the time is up, or the database hangs.
        """
        if self._silent:
            raise TimeoutError("no sign of life")
        loop = asyncio.get_running_loop()
        async with LoopTimeout(seconds) as limit:
            self._waiting[limit] = loop.time()
            doubt = loop.call_later(self._part, self._doubt)
            try:
                yield limit
            finally:
                doubt.cancel()
                del self._waiting[limit]

    async def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch

    def _doubt(self) -> None:
        if self._watch is None:
            self._watch = asyncio.create_task(
                self._ask_while_needed(), context=apart("probe of the database")
            )

    async def _ask_while_needed(self) -> None:
        try:
            waited = True
            while waited or self._silent:
                await self._ask()
                await asyncio.sleep(self._part)
                waited = self._somebody_waits()
        finally:
            self._watch = None

    def _somebody_waits(self) -> bool:
        now = asyncio.get_running_loop().time()
        # Half an interval of tolerance, because timers may fire early: the caller that started the
        # probe can seem to have waited less than one interval.
        return now - next(iter(self._waiting.values()), now) > self._part / 2

    async def _ask(self) -> None:
        ping = asyncio.ensure_future(self._ping())
        try:
            # In parts, because a standstill of this event loop then costs one part only.
            for _ in range(_PARTS - 1):
                if await _done(ping, self._part):
                    break
            else:
                self._give_up()
                if not await _done(ping, self._again):
                    return
            if self._silent:
                self._on_return()
                self._silent = False
        finally:
            await self._drop(ping)

    async def _drop(self, ping: asyncio.Future[None]) -> None:
        """Cancel a ping; one that ignores its cancellation does not delay the next probe."""
        ping.add_done_callback(lambda done: done.cancelled() or done.exception())
        ping.cancel()
        await asyncio.wait({ping}, timeout=self._part)

    def _give_up(self) -> None:
        self._silent = True
        for limit in self._waiting:
            limit.give_up()


async def _done(ping: asyncio.Future[None], seconds: float) -> bool:
    done, _ = await asyncio.wait({ping}, timeout=seconds)
    return bool(done)
