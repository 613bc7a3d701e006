"""Submits by handler, queue and result.

A caller chooses the queue, so only queues that workers listen to are labels. Which those are is
read when somebody looks at the numbers; until then, submits to a queue that is not known yet are
kept apart, because a counter cannot take back what it has counted under another label.
"""

from collections import Counter as Amounts
from collections.abc import Iterable
from enum import StrEnum

from prometheus_client import Counter

from taskq_server.metrics.labels import BoundedNames, Children

_MOST_UNSETTLED = 1_000


class SubmitResult(StrEnum):
    """What has become of a submit of one task."""

    CREATED = "created"
    REPLAYED = "replayed"
    """An idempotency key had submitted it before."""
    CONFLICT = "conflict"
    """Another task holds its unique key, and is the answer."""
    REFUSED = "refused"
    """A value, a quota, a scope or a unique key does not allow it."""
    FAILED = "failed"
    """The database is away, or something is wrong."""


class Submits:
    """Count submits.

    Args:
        children: with the labels handler, queue, result.
        handlers: the labels of handlers.
        queues: the labels of queues.
    """

    def __init__(
        self, children: Children[Counter], handlers: BoundedNames, queues: BoundedNames
    ) -> None:
        self._children = children
        self._handlers = handlers
        self._queues = queues
        self._unsettled: Amounts[tuple[str, str, SubmitResult]] = Amounts()

    def count(self, handler: str, queue: str, result: SubmitResult, tasks: int = 1) -> None:
        """Count the submits of some tasks.

        Args:
            handler: of the tasks; it is a label only if tasks were created for it.
            queue: of the tasks.
            result: of the submit.
            tasks: how many there are.
        """
        admit = self._handlers.admit if result is SubmitResult.CREATED else self._handlers.label
        label = admit(handler)
        if queue in self._queues or self._queues.is_full:
            self._children(label, self._queues.label(queue), result).inc(tasks)
            return
        self._unsettled[label, queue, result] += tasks
        if len(self._unsettled) > _MOST_UNSETTLED:
            self.settle()

    @property
    def has_unsettled(self) -> bool:
        """Whether submits are kept apart until the queues are known that workers listen to."""
        return bool(self._unsettled)

    def settle(self, listened: Iterable[str] = ()) -> None:
        """Count what was kept apart.

        Args:
            listened: queues that workers listen to.
        """
        self._queues.admit_all(listened)
        unsettled, self._unsettled = self._unsettled, Amounts()
        for (handler, queue, result), tasks in unsettled.items():
            self._children(handler, self._queues.label(queue), result).inc(tasks)
