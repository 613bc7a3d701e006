"""How long final tasks are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Self
from uuid import UUID

from taskq_server.domain.task import FINAL, Status

_SHORTEST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)
_RUNS = timedelta(minutes=1)
_PART = 8


class Kept(NamedTuple):
    """What retention asks of a task, in any status."""

    id: UUID
    namespace: str
    queue: str
    status: Status
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Retention:
    """The time for which final tasks are kept that say nothing of their own.

    Attributes:
        ended: for tasks that succeeded or were cancelled.
        failed: for tasks that failed.
    """

    ended: timedelta
    failed: timedelta

    @classmethod
    def of_all(cls, kept: timedelta) -> Self:
        """Return the same time for all tasks."""
        return cls(kept, kept)

    @property
    def longest(self) -> timedelta:
        """The longest time for which any task is kept that says nothing of its own."""
        return max(self.ended, self.failed)

    def before(self, now: datetime) -> Mapping[Status, datetime]:
        """Return for each final status the time before which a task ended that may go now."""
        return {each: now - self._of(each) for each in sorted(FINAL)}

    def is_over(self, task: Kept, own: timedelta | None, now: datetime) -> bool:
        """Return whether a task may be deleted.

        Args:
            task: in any status.
            own: for how long this one is kept, if it says so.
            now: aware UTC.
        """
        if task.finished_at is None or not task.status.final:
            return False
        return task.finished_at < now - (self._of(task.status) if own is None else own)

    def _of(self, status: Status) -> timedelta:
        return self.failed if status is Status.FAILED else self.ended


def first_look(*, created_at: datetime, due_at: datetime, own: timedelta) -> datetime:
    """Return when to look first at a task that says how long it is kept.

    Args:
        created_at: of the task, aware UTC.
        due_at: from when it may run, aware UTC. Of a task that is due much later, this is no excuse
            for a late look, because it may be cancelled or moved.
        own: for how long it is kept. For a part of it, at most a minute, the task may wait and run
            until one look finds it past its time.
    """
    due = min(max(due_at, created_at), created_at + _LONGEST_PAUSE)
    return due + own + min(_RUNS, own / _PART)


def next_look(
    *, created_at: datetime, finished_at: datetime | None, own: timedelta, now: datetime
) -> datetime:
    """Return when to look again at a task that may not be deleted yet.

    The longer a task waits, the rarer are the looks, so that many that wait for long cost little.

    Args:
        created_at: of the task, aware UTC.
        finished_at: of the task, if it is final.
        own: for how long it is kept.
        now: aware UTC.
    """
    if finished_at is not None:
        return finished_at + own
    pause = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, (now - created_at) / _PART))
    return now + max(own, pause)
