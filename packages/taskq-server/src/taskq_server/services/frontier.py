"""Up to where nothing is past retention but what is kept for longer, and how far pruning is behind.

Tasks that are kept for longer than others of their time stay at the beginning of the index that
leads to what is past retention. Who looks there again and again remembers what lies behind them.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from taskq_server.core.database import Connection
from taskq_server.crud import keeps, retention
from taskq_server.crud.retention import Expired, Window
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import Status

_ANEW_SECONDS = 3_600.0
_LOOKS = 10
_NEXT = timedelta(microseconds=1)


class Frontier:
    """What one process has seen; every hour it begins anew, because rows and settings may change.

    Args:
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._anew_at = monotonic() + _ANEW_SECONDS
        self._since: dict[Status, datetime] = {}

    def windows(self, before: Mapping[Status, datetime]) -> dict[Status, Window]:
        """Return where to look for tasks that ended before some times."""
        if self._monotonic() >= self._anew_at:
            self._anew_at = self._monotonic() + _ANEW_SECONDS
            self._since.clear()
        return {each: Window(at, self._since.get(each)) for each, at in before.items()}

    def advance(self, seen: Iterable[Expired], *, is_full: bool) -> bool:
        """Leave behind what has been looked at and stays; return whether that leads anywhere.

        Args:
            seen: what was found in the windows.
            is_full: whether there may be more, perhaps of the same moment as the last ones.
        """
        before = dict(self._since)
        for one in seen:
            self.reach(one.status, one.finished_at if is_full else one.finished_at + _NEXT)
        return self._since != before

    def reach(self, status: Status, at: datetime) -> None:
        """Leave behind all tasks of a status that ended before `at`."""
        self._since[status] = max(at, self._since.get(status, at))


async def behind(
    connection: Connection, frontier: Frontier, kept: Retention, now: datetime
) -> timedelta:
    """Return for how long the task has been past its retention that is so for longest.

    Args:
        connection: any.
        frontier: what this process has seen; it learns.
        kept: how long tasks are kept.
        now: aware UTC.
    """
    before = kept.before(now)
    overdue = timedelta(0)
    left = frontier.windows(before)
    for _ in range(_LOOKS):
        found = await retention.oldest(connection, left)
        for status, oldest in found.items():
            if oldest.finished_at is not None:
                overdue = max(overdue, before[status] - oldest.finished_at)
            elif oldest.seen_to is not None:
                frontier.reach(status, oldest.seen_to)
        windows = frontier.windows(before)
        left = {
            status: windows[status]
            for status, oldest in found.items()
            if oldest.finished_at is None and oldest.seen_to is not None
        }
        if not left:
            break
    looked = await keeps.longest_due(connection)
    return overdue if looked is None else max(overdue, now - looked)
