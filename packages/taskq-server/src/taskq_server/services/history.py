"""What happened in each queue, minute by minute."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from taskq_server.core.database import Database
from taskq_server.crud import history
from taskq_server.crud.history import Lived
from taskq_server.domain import limits
from taskq_server.domain.caller import Caller
from taskq_server.domain.minutes import Ends, minute_of, start_of


@dataclass(frozen=True, slots=True)
class QueueHistory:
    """A queue over some minutes: in each list one value for each minute.

    Attributes:
        succeeded: attempts that succeeded.
        failed: attempts that failed, timed out or lost their worker.
        run_seconds_mean: the mean of how long these attempts ran; None without any.
        depth: the waiting tasks when the minute was measured; None if nobody did.
        running: the running tasks then.
        oldest_age_seconds: for how long the oldest due task had been due then; None without one.
    """

    succeeded: list[int]
    failed: list[int]
    run_seconds_mean: list[float | None]
    depth: list[int | None]
    running: list[int | None]
    oldest_age_seconds: list[float | None]


@dataclass(frozen=True, slots=True)
class History:
    """The minutes by their beginnings, oldest first, and the queues that had tasks, by name.

    `exact` is False if older minutes that the caller asked for are left out.
    """

    minutes: list[datetime]
    queues: dict[str, QueueHistory]
    exact: bool


class HistoryService:
    """Read the history of minutes; the cost does not depend on the number of tasks.

    Args:
        database: holds the history.
        clock: aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def read(self, caller: Caller, minutes: int, queue: str | None = None) -> History:
        """Return the last minutes, of which the last one is the present one.

        Args:
            caller: sees the queues of its namespace.
            minutes: how many; fewer are returned if with all queues they are more than
                `limits.HISTORY_POINTS` points.
            queue: the only queue; None stands for all that had tasks.
        """
        last = minute_of(self._clock())
        first = last - minutes + 1
        most = limits.HISTORY_POINTS + 1
        rows = await self._database.read(
            lambda c: history.lived(c, caller.namespace, first=first, queue=queue, most=most)
        )
        return _history(rows, first, last)


def _history(rows: Iterable[Lived], first: int, last: int) -> History:
    by_minute: defaultdict[int, dict[str, Lived]] = defaultdict(dict)
    for row in rows:
        there = by_minute[row.minute]
        there[row.queue] = _both(there[row.queue], row) if row.queue in there else row
    names, start = _that_fit(by_minute, first, last)
    shown = range(start, last + 1)
    return History(
        [start_of(minute) for minute in shown],
        {name: _of_queue(name, [by_minute.get(minute, {}) for minute in shown]) for name in names},
        exact=start == first,
    )


def _both(one: Lived, other: Lived) -> Lived:
    """Add up what is kept of a minute, and what is still in the ledger."""
    measured = other if one.depth is None else one
    return measured._replace(
        succeeded=one.succeeded + other.succeeded,
        failed=one.failed + other.failed,
        run_milliseconds=one.run_milliseconds + other.run_milliseconds,
    )


def _that_fit(
    by_minute: Mapping[int, Mapping[str, Lived]], first: int, last: int
) -> tuple[list[str], int]:
    """Return the queues and the first minute of an answer that is not too large."""
    names: set[str] = set()
    for minute in range(last, first - 1, -1):
        more = {name for name in by_minute.get(minute, ()) if name} - names
        if (len(names) + len(more)) * (last - minute + 1) > limits.HISTORY_POINTS:
            return sorted(names), minute + 1
        names |= more
    return sorted(names), first


def _of_queue(name: str, minutes: Sequence[Mapping[str, Lived]]) -> QueueHistory:
    lived = _each(name, minutes)
    return QueueHistory(
        succeeded=[one.succeeded for one in lived],
        failed=[one.failed for one in lived],
        run_seconds_mean=[
            Ends(one.succeeded + one.failed, one.run_milliseconds).run_seconds_mean for one in lived
        ],
        depth=[one.depth for one in lived],
        running=[one.running for one in lived],
        oldest_age_seconds=[one.oldest_age_seconds for one in lived],
    )


def _each(name: str, minutes: Iterable[Mapping[str, Lived]]) -> list[Lived]:
    """Return a row of a queue for each minute.

    A queue that is not among the measured ones, in a minute in which all were measured, was empty.
    """
    unknown = Lived(0, name, 0, 0, 0, None, None, None)
    empty = unknown._replace(depth=0, running=0)
    lived: list[Lived] = []
    for rows in minutes:
        row = rows.get(name)
        if "" not in rows:
            lived.append(row or unknown)
        elif row is None or row.depth is not None:
            lived.append(row or empty)
        else:
            lived.append(row._replace(depth=0, running=0))
    return lived
