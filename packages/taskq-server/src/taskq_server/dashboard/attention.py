"""What needs attention first, the most urgent first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from taskq_server.domain.failures import FailureGroup
from taskq_server.services.overview import RecentFailures, Standing
from taskq_server.services.queues import QueueState

LATE_SECONDS: Final = 60.0
"""A task that has been due for longer, in a queue with workers, is late."""

_MOST_OF_A_KIND = 3


class Kind(Enum):
    """Why something needs attention."""

    NO_WORKER = "no-worker"
    NOBODY_LISTENS = "nobody-listens"
    FAILING = "failing"
    LATE = "late"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs attention.

    Attributes:
        kind: why.
        tasks: how many wait, or have failed.
        queue: its name; None where it is about no single one.
        since: for how long it is so, aware UTC; None where nobody knows.
        note: of a paused queue.
        group: of the failures, the largest.
        more: how many others there are of this kind that are not shown.
    """

    kind: Kind
    tasks: int
    queue: str | None = None
    since: datetime | None = None
    note: str | None = None
    group: FailureGroup | None = None
    more: int = 0


def concerns(standing: Standing, recent: RecentFailures, now: datetime) -> list[Concern]:
    """Return what needs attention.

    Args:
        standing: of the queues.
        recent: what has failed lately.
        now: aware UTC.
    """
    open_queues = [each for each in standing.queues if each.paused_at is None]
    if standing.workers == 0:
        waiting = sum(each.stats.depth for each in open_queues)
        stuck = [Concern(Kind.NO_WORKER, waiting)] if waiting else []
    else:
        stuck = _first(open_queues, _nobody_listens, now)
    return [
        *stuck,
        *_failing(recent),
        *_first(open_queues, _late, now),
        *_first(standing.queues, _paused, now),
    ]


Judge = Callable[[QueueState, datetime | None], Concern | None]


def _first(queues: Sequence[QueueState], judge: Judge, now: datetime) -> list[Concern]:
    found = [each for queue in queues if (each := judge(queue, _due_since(queue, now)))]
    found.sort(key=lambda each: -each.tasks)
    shown = found[:_MOST_OF_A_KIND]
    if len(found) > len(shown):
        shown[-1] = replace(shown[-1], more=len(found) - len(shown))
    return shown


def _nobody_listens(queue: QueueState, since: datetime | None) -> Concern | None:
    if queue.workers or not queue.stats.depth:
        return None
    return Concern(Kind.NOBODY_LISTENS, queue.stats.depth, queue.stats.name, since)


def _late(queue: QueueState, since: datetime | None) -> Concern | None:
    if not queue.workers or (queue.stats.oldest_age_seconds or 0.0) < LATE_SECONDS:
        return None
    return Concern(Kind.LATE, queue.stats.depth, queue.stats.name, since)


def _paused(queue: QueueState, _: datetime | None) -> Concern | None:
    if queue.paused_at is None:
        return None
    return Concern(
        Kind.PAUSED, queue.stats.depth, queue.stats.name, queue.paused_at, note=queue.note
    )


def _failing(recent: RecentFailures) -> list[Concern]:
    groups = [each for each in recent.failures.groups if each.failed]
    if not groups:
        return []
    largest = max(groups, key=lambda each: each.failed)
    return [Concern(Kind.FAILING, largest.failed, group=largest, more=len(groups) - 1)]


def _due_since(queue: QueueState, now: datetime) -> datetime | None:
    age = queue.stats.oldest_age_seconds
    return None if age is None else now - timedelta(seconds=age)
