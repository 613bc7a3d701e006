"""The counts of tasks for those who look on: read once a second, however many they are.

There is one read for all namespaces that somebody looks at, and none while nobody does. What is
told is what changes only when something happens; an age or a rate changes as time passes, and is in
`GET /stats`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime

from taskq_server.core.database import Database
from taskq_server.core.log_context import about_group, apart
from taskq_server.crud import live_counts
from taskq_server.domain.caller import Caller
from taskq_server.domain.counts import by_queue
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.schemas import wire

SECONDS = 1.0
"""Time between two reads."""

_NAME = "stats feed"
_UNREADABLE = "the counts cannot be read"
_log = logging.getLogger("taskq.server")


class _Board:
    """What there is to see of one namespace: the latest counts, as JSON, for all its viewers.

    Attributes:
        viewers: how many there are.
        latest: the counts; None while they cannot be read.
        failure: why they cannot be read; None before the first read, and while they can be.
        changed: set, and replaced, when there is something new.
    """

    def __init__(self) -> None:
        self.viewers = 0
        self.latest: bytes | None = None
        self.failure: str | None = None
        self.changed = asyncio.Event()

    @property
    def is_read(self) -> bool:
        return self.latest is not None or self.failure is not None

    def show(self, latest: bytes | None, failure: str | None = None) -> None:
        is_news = not self.is_read or latest != self.latest
        self.latest, self.failure = latest, failure
        if is_news:
            self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class View:
    """What one viewer sees of a namespace. It keeps nothing of what the viewer has missed."""

    def __init__(self, board: _Board) -> None:
        self._board = board

    @property
    def latest(self) -> bytes | None:
        """The counts as JSON, of a second ago at most; None while they cannot be read."""
        return self._board.latest

    async def first(self) -> bytes:
        """Return the counts as soon as they are read.

        Raises:
            DatabaseUnavailable: they cannot be read.
        """
        while not self._board.is_read:
            await self._board.changed.wait()
        if self._board.latest is None:
            raise DatabaseUnavailable(self._board.failure)
        return self._board.latest

    async def news(self, seen: bytes | None, seconds: float) -> None:
        """Wait until `latest` is another than `seen`, the feed ends, or the time is up.

        Args:
            seen: what the viewer has.
            seconds: longest time to wait.
        """
        if self._board.latest == seen:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._board.changed.wait()


class StatsFeed:
    """Read the counts for all who look on.

    Args:
        database: holds the ledger.
        clock: aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._boards: dict[str, _Board] = {}
        self._joined = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._draining = False

    @property
    def is_draining(self) -> bool:
        """Whether this process is stopping."""
        return self._draining

    @property
    def viewers(self) -> int:
        """How many look on, in all namespaces."""
        return sum(board.viewers for board in self._boards.values())

    def drain(self) -> None:
        """Let all viewers go, because this process is stopping."""
        self._draining = True
        for board in self._boards.values():
            board.wake()

    async def close(self) -> None:
        """End the reads."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))

    @contextmanager
    def view(self, caller: Caller) -> Iterator[View]:
        """Return a block in which a caller looks on the tasks of its namespace."""
        board = self._boards.setdefault(caller.namespace, _Board())
        board.viewers += 1
        self._joined.set()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._keep_reading(), context=apart(_NAME))
        try:
            yield View(board)
        finally:
            board.viewers -= 1

    async def _keep_reading(self) -> None:
        """Read once a second, until nobody has looked on for a second.

        Until then the last counts stay, so that whoever comes and goes causes no further read.
        """
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            self._joined.clear()
            if now() >= due:
                self._boards = {name: each for name, each in self._boards.items() if each.viewers}
                if not self._boards:
                    return
                await self._read(dict(self._boards))
                due = now() + SECONDS
            else:
                await self._read({n: each for n, each in self._boards.items() if not each.is_read})
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._joined.wait()

    async def _read(self, boards: Mapping[str, _Board]) -> None:
        if not boards:
            return
        failure: str | None = None
        try:
            with about_group(_NAME, len(boards)):
                found = await self._database.read(
                    lambda connection: live_counts.read(connection, self._clock(), boards.keys())
                )
            shown = {
                name: wire.counts(by_queue(one.tasks), one.workers) for name, one in found.items()
            }
        except DatabaseUnavailable as error:
            shown, failure = {}, str(error)
        except Exception:
            _log.exception(_UNREADABLE)
            shown, failure = {}, _UNREADABLE
        for namespace, board in boards.items():
            board.show(shown.get(namespace), failure)
