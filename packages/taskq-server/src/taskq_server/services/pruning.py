"""Delete final tasks that are past retention, in batches as large as the database takes quickly."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.crud import keeps, pruning, retention
from taskq_server.crud.pruning import RangeChanged, Some
from taskq_server.crud.retention import Expired
from taskq_server.domain.retention import Retention, next_look
from taskq_server.services.frontier import Frontier

_FEWEST, _FEW, _MOST = 125, 1_000, 2_000
_QUICK_SECONDS, _SLOW_SECONDS = 0.25, 1.0
_IN_A_RANGE = 50
_TOGETHER = 500
_LOOKS = 5


class Pruning:
    """Delete what is past retention, wherever it is. Two at once do no harm, but are no faster.

    Args:
        database: holds the rows.
        clock: aware UTC.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._frontier = Frontier(monotonic)
        self._limit = _FEW
        self._stretch = 1

    async def batch(self, kept: Retention) -> int:
        """Delete some tasks that are past retention, oldest first; return how many.

        When it returns 0, there are no others, or very many tasks are in the way that are kept for
        longer than theirs; the next call goes on behind them.
        """
        for _ in range(_LOOKS):
            started = self._monotonic()
            removed, more = await self._some(kept)
            self._fit(self._monotonic() - started)
            if removed or not more:
                return removed
        return 0

    def _fit(self, took: float) -> None:
        if took < _QUICK_SECONDS:
            self._limit = min(_MOST, self._limit * 2)
        elif took > _SLOW_SECONDS:
            self._limit = max(_FEWEST, self._limit // 2)

    async def _some(self, kept: Retention) -> tuple[int, bool]:
        now, limit = self._clock(), self._limit * self._stretch
        windows = self._frontier.windows(kept.before(now))

        async def look(connection: Connection) -> tuple[list[Expired], set[UUID], list[UUID]]:
            expired = await retention.expired(connection, windows, limit=limit)
            own = await keeps.among(connection, [one.id for one in expired])
            return expired, own, await keeps.due(connection, now=now, limit=_TOGETHER)

        expired, own, due = await self._database.read(look)
        is_full = len(expired) == limit
        # Those that say for how long they are kept go when they are due, and not because of others.
        gone = await self._remove({one.id for one in expired} - own | set(due), kept)
        if any(one.id not in gone for one in expired):
            moved = self._frontier.advance(expired, is_full=is_full)
            # Any number of tasks may have ended at one moment.
            self._stretch = 1 if moved or gone else self._stretch * 2
        if not gone.issuperset(due):
            await self._database.write(lambda c: _look_later(c, due, now))
        return len(gone), is_full or len(due) == _TOGETHER

    async def _remove(self, ids: Collection[UUID], kept: Retention) -> set[UUID]:
        """Delete those of some tasks, and of those between them, that may go; return which."""
        if not ids:
            return set()
        ranges, rest = await self._database.read(lambda c: _ranges(c, sorted(ids)))
        gone: set[UUID] = set()
        for each in ranges:
            try:
                gone |= await self._remove_some(Some(each, is_range=True), kept)
            except RangeChanged:
                rest += each
        for start in range(0, len(rest), _TOGETHER):
            some = sorted(rest)[start : start + _TOGETHER]
            gone |= await self._remove_some(Some(some, is_range=False), kept)
        return gone

    async def _remove_some(self, some: Some, kept: Retention) -> set[UUID]:
        async def work(connection: Connection) -> set[UUID]:
            locked = await pruning.lock(connection, some)
            own = await pruning.own_keeps(connection, some)
            now = self._clock()
            gone = [one for one in locked if kept.is_over(one, own.get(one.id), now)]
            ids = {one.id for one in gone}
            if gone:
                spared = [one.id for one in locked if one.id not in ids]
                wanted = some.without(spared)
                await pruning.remove(connection, wanted, gone, now, any_keep=bool(own))
            return ids

        return await self._database.write(work)


async def _ranges(
    connection: Connection, ids: Sequence[UUID]
) -> tuple[list[Sequence[UUID]], list[UUID]]:
    """Return ranges of ids in which hardly any other tasks lie, and the ids that are in none."""
    if len(ids) < _IN_A_RANGE:
        return [], [*ids]
    most = 2 * len(ids)
    if await pruning.tasks_between(connection, ids[0], ids[-1], limit=most + 1) <= most:
        return [ids], []
    half = len(ids) // 2
    lower, loose = await _ranges(connection, ids[:half])
    upper, other = await _ranges(connection, ids[half:])
    return lower + upper, loose + other


async def _look_later(connection: Connection, due: Sequence[UUID], now: datetime) -> None:
    later: dict[UUID, datetime] = {}
    orphans: list[UUID] = []
    for look in await keeps.looks(connection, due):
        if look.created_at is None:
            orphans.append(look.task_id)
            continue
        later[look.task_id] = next_look(
            created_at=look.created_at, finished_at=look.finished_at, own=look.keep, now=now
        )
    await keeps.look_later(connection, later)
    await keeps.forget(connection, orphans)
