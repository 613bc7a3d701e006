"""Tell workers, waiters and listeners what a commit has changed.

Services say what they have changed, and only this module decides whom that concerns. Doorbells and
news are made from a whole batch, and an event for each task is built only if somebody listens.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from taskq_server.broker.dispatcher import Dispatcher, doorbell
from taskq_server.broker.notifier import Notifier
from taskq_server.domain.events import TaskChanged, TaskProgressed
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Address, Outcome, Status, Task
from taskq_server.metrics.registry import Metrics

Listener = Callable[[Sequence[TaskChanged]], None]
"""Is called with the changes of one commit, on the event loop: it must not block."""

_log = logging.getLogger("taskq.server.after_commit")


class AfterCommit:
    """Tell what a transaction has changed. Nobody waits for it, and nothing of it raises.

    Args:
        dispatcher: rings for tasks that wait.
        notifier: tells waiters of changes, and workers of cancels.
        metrics: count attempts and changes of the status.
    """

    def __init__(self, dispatcher: Dispatcher, notifier: Notifier, metrics: Metrics) -> None:
        self._dispatcher = dispatcher
        self._notifier = notifier
        self._metrics = metrics
        self._listeners: list[Listener] = []

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call a listener for what this process changes while the block runs."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def submitted(self, tasks: Sequence[Task]) -> None:
        """Ring for new tasks; nobody can wait for them yet."""
        self._dispatcher.ring([doorbell(task) for task in tasks])
        if self._listeners:
            self._tell(TaskChanged(None, task) for task in tasks)

    def changed(self, before: Task, after: Task | None) -> None:
        """Tell of a change that a caller has made; `after` is None for a task that was deleted."""
        self.changed_together([(before, after)])

    def changed_together(self, changes: Sequence[tuple[Task, Task | None]]) -> None:
        """Tell of the changes of one commit.

        Args:
            changes: each task before and after; None after for one that was deleted.
        """
        kept = [(before, after) for before, after in changes if after is not None]
        moved = Counter((after.handler, before.status, after.status) for before, after in kept)
        for (handler, from_status, to_status), number in moved.items():
            self._metrics.moved(handler, from_status, to_status, number)
        self._dispatcher.ring(
            [doorbell(after) for before, after in kept if _waits_anew(before, after)]
        )
        asked = [_address(before) for before, after in kept if _asks_to_stop(before, after)]
        if asked:
            self._notifier.cancel(asked)
        self._notifier.changed([_address(before) for before, _ in changes])
        if self._listeners:
            self._tell(TaskChanged(before, after) for before, after in changes)

    def claimed(self, claims: Sequence[tuple[Task, Task]]) -> None:
        """Count attempts that start: nobody waits for that.

        Args:
            claims: each task before and after its claim.
        """
        moved: Counter[tuple[str, Status]] = Counter()
        waited: defaultdict[str, list[float]] = defaultdict(list)
        for before, after in claims:
            moved[before.handler, before.status] += 1
            seconds = (after.updated_at - _waits_since(before)).total_seconds()
            waited[before.queue].append(max(0.0, seconds))
        for (handler, status), number in moved.items():
            self._metrics.moved(handler, status, Status.RUNNING, number)
        for queue, each in waited.items():
            self._metrics.picked_up(queue, each)

    def ended(self, ends: Sequence[AttemptEnded]) -> None:
        """Tell of attempts that have ended, and ring for those of their tasks that wait again."""
        self._count(ends)
        self._notifier.changed([(end.task.namespace, end.task.id) for end in ends])
        self._dispatcher.ring([doorbell(end.task) for end in ends if end.task.status.waiting])
        if self._listeners:
            self._tell(TaskChanged(end.before, end.task, end.attempt) for end in ends)

    def progressed(self, reports: Sequence[TaskProgressed]) -> None:
        """Tell waiters that running tasks have come further."""
        self._notifier.changed(reports)

    def _count(self, ends: Sequence[AttemptEnded]) -> None:
        took: defaultdict[tuple[str, Outcome, Status, Status], list[float]] = defaultdict(list)
        for end in ends:
            kind = end.task.handler, end.attempt.outcome, end.before.status, end.task.status
            took[kind].append(max(0.0, end.run_time.total_seconds()))
        for (handler, outcome, before, after), seconds in took.items():
            self._metrics.attempts_ended(handler, outcome, seconds)
            self._metrics.moved(handler, before, after, len(seconds))
            if after is Status.RETRYING:
                self._metrics.retried(handler, len(seconds))

    def _tell(self, changes: Iterable[TaskChanged]) -> None:
        told = tuple(changes)
        for listener in tuple(self._listeners):
            try:
                listener(told)
            except Exception:
                _log.exception("a listener failed for %d changes of tasks", len(told))


def _address(task: Task) -> Address:
    return task.namespace, task.id


def _waits_since(task: Task) -> datetime:
    """Return since when a due task waits: a release or a rescue leaves its due time as it is."""
    return max(task.due_at, task.updated_at) if task.attempt else task.due_at


def _waits_anew(before: Task, after: Task) -> bool:
    """Return whether the doorbell of a waiting task is missing, or rings at the wrong time."""
    return after.status.waiting and (
        (before.status, before.score, before.run_at) != (after.status, after.score, after.run_at)
    )


def _asks_to_stop(before: Task, after: Task) -> bool:
    """Return whether a cancel asks a running task to stop.

    A cancel that is repeated changes nothing, and is sent again because messages may get lost.
    """
    is_asked = after.status is Status.RUNNING and after.cancel_requested_at is not None
    return is_asked and (before.cancel_requested_at is None or after == before)
