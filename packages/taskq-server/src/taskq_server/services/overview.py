"""What an overview of a namespace shows, read seldom however many look at it.

Each part is as old as it may be at most, and read once for all who ask meanwhile. Who needs the
truth of now asks the services that are behind this one.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from taskq_server.core.groupcommit import GroupCommit
from taskq_server.core.observer import Observer
from taskq_server.domain.caller import Caller
from taskq_server.services.failures import Failures, FailureService
from taskq_server.services.history import History, HistoryService
from taskq_server.services.queues import QueueService, QueueState
from taskq_server.services.stats import StatsService

MINUTES: Final = 60
"""The whole minutes of the history, besides the present one, and the time of the failures."""

FAILURES_SECONDS: Final = 5.0
"""Age of the failures, at most."""

_HOUR = timedelta(minutes=MINUTES)
_STANDING_SECONDS = 1.0
_HISTORY_SECONDS = 10.0
_MOST_NAMESPACES = 1_000

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RecentFailures:
    """The failures of the last hour in groups, and when that hour began, aware UTC."""

    failures: Failures
    since: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How all queues stand, by name, and the number of live workers."""

    queues: list[QueueState]
    workers: int


class OverviewService:
    """Read what an overview shows.

    Args:
        queues: reads how the queues stand.
        stats: counts the workers.
        history: reads the minutes.
        failures: groups what fails.
        clock: aware UTC.
        observer: is told of the reads.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        queues: QueueService,
        stats: StatsService,
        history: HistoryService,
        failures: FailureService,
        clock: Callable[[], datetime],
        observer: Observer,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        async def now(caller: Caller) -> Standing:
            return Standing(await queues.list(caller), (await stats.read(caller)).workers)

        async def recent(caller: Caller) -> RecentFailures:
            since = clock() - _HOUR
            return RecentFailures(await failures.read(caller, _HOUR.total_seconds()), since)

        async def hour(caller: Caller) -> History:
            return await history.read(caller, MINUTES + 1)

        self._standing = _Kept(now, _STANDING_SECONDS, observer, monotonic)
        self._history = _Kept(hour, _HISTORY_SECONDS, observer, monotonic)
        self._failures = _Kept(recent, FAILURES_SECONDS, observer, monotonic)

    async def close(self) -> None:
        """Wait for the reads under way."""
        await self._standing.close()
        await self._history.close()
        await self._failures.close()

    async def standing(self, caller: Caller) -> Standing:
        """Return how all queues stand."""
        return await self._standing(caller)

    async def history(self, caller: Caller) -> History:
        """Return the last hour, and the present minute as its last one."""
        return await self._history(caller)

    async def failures(self, caller: Caller) -> RecentFailures:
        """Return what failed for good within the last hour, and what is retrying."""
        return await self._failures(caller)


@dataclass(frozen=True, slots=True)
class _Read(Generic[Answer]):
    at: float
    answer: Answer


class _Kept(Generic[Answer]):
    """What was read of namespaces, until it is too old."""

    def __init__(
        self,
        read: Callable[[Caller], Awaitable[Answer]],
        seconds: float,
        observer: Observer,
        monotonic: Callable[[], float],
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._monotonic = monotonic
        self._known: dict[str, _Read[Answer]] = {}
        self._reads: GroupCommit[Caller, Answer] = GroupCommit(
            self._refresh, name="overview", observer=observer
        )

    async def close(self) -> None:
        await self._reads.close()

    async def __call__(self, caller: Caller) -> Answer:
        known = self._fresh(caller)
        return await self._reads(caller) if known is None else known.answer

    def _fresh(self, caller: Caller) -> _Read[Answer] | None:
        known = self._known.get(caller.namespace)
        if known is None or self._monotonic() - known.at >= self._seconds:
            return None
        return known

    async def _refresh(self, asked: Sequence[Caller]) -> Sequence[Answer]:
        return [await self._of(caller) for caller in asked]

    async def _of(self, caller: Caller) -> Answer:
        if (known := self._fresh(caller)) is not None:  # another one has asked for it, too
            return known.answer
        at = self._monotonic()
        answer = await self._read(caller)
        # The namespace that was read last comes last, and the oldest one goes.
        self._known.pop(caller.namespace, None)
        self._known[caller.namespace] = _Read(at, answer)
        if len(self._known) > _MOST_NAMESPACES:
            del self._known[next(iter(self._known))]
        return answer
