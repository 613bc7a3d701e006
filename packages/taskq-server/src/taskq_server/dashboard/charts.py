"""The last hour as lines of charts: one line for each of the busiest queues, and one for the rest.

Nothing is read here; all comes from the history of minutes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from taskq_server.services.history import History, QueueHistory

MOST_QUEUES: Final = 8
"""Queues with a line of their own; with one more than these, the rest share a line."""

Values = Sequence[int | None]


class Kind(Enum):
    """What a chart shows."""

    ENDED = "ended"
    FAILED = "failed"
    WAITING = "waiting"
    RUNNING = "running"

    @property
    def is_rate(self) -> bool:
        """Whether it counts what happened within each minute, so that the present one lacks."""
        return self in {Kind.ENDED, Kind.FAILED}


@dataclass(frozen=True, slots=True)
class Line:
    """A queue in a chart, or the sum of several.

    Attributes:
        queue: its name; None for the others together.
        values: one for each minute; None where it is not known.
    """

    queue: str | None
    values: Values

    @property
    def latest(self) -> int | None:
        """The last known value."""
        return next((value for value in reversed(self.values) if value is not None), None)

    @property
    def most(self) -> int | None:
        """The largest value."""
        return max((value for value in self.values if value is not None), default=None)

    @property
    def total(self) -> int:
        """The sum of the values."""
        return sum(value or 0 for value in self.values)


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the same minutes."""

    kind: Kind
    times: Sequence[int]
    lines: Sequence[Line]

    @property
    def now(self) -> int | None:
        """The sum of the lines' last known values."""
        return _sum(line.latest for line in self.lines)

    @property
    def data(self) -> dict[str, Any]:
        """What the script draws: the times in seconds since 1970, and the values of each line."""
        return {"times": self.times, "lines": [line.values for line in self.lines]}


@dataclass(frozen=True, slots=True)
class Hour:
    """The charts of the last hour.

    Attributes:
        charts: one of each kind, all with the same queues in the same order.
        others: how many queues share the last line; 0 if there is no such line.
        exact: False if older minutes are left out, because there are so many queues.
    """

    charts: Sequence[Chart]
    others: int
    exact: bool

    @property
    def is_known(self) -> bool:
        """Whether any queue had tasks."""
        return any(chart.lines for chart in self.charts)


def hour(history: History) -> Hour:
    """Return the charts of a history whose last minute is not over yet."""
    busiest = sorted(history.queues, key=lambda name: -_work(history.queues[name]))
    # By name, so that a queue keeps its colour for as long as the same queues are shown.
    shown, others = sorted(busiest[:MOST_QUEUES]), busiest[MOST_QUEUES:]
    times = [int(minute.timestamp()) for minute in history.minutes]

    def line(name: str | None, names: Sequence[str], kind: Kind) -> Line:
        each = [_VALUES[kind](history.queues[one]) for one in names]
        values = [_sum(column) for column in zip(*each, strict=True)]
        return Line(name, [*values[:-1], None] if kind.is_rate else values)

    def chart(kind: Kind) -> Chart:
        lines = [line(name, [name], kind) for name in shown]
        return Chart(kind, times, [*lines, line(None, others, kind)] if others else lines)

    return Hour([chart(kind) for kind in Kind], len(others), history.exact)


def _ended(queue: QueueHistory) -> list[int]:
    return [sum(both) for both in zip(queue.succeeded, queue.failed, strict=True)]


_VALUES: dict[Kind, Callable[[QueueHistory], Values]] = {
    Kind.ENDED: _ended,
    Kind.FAILED: lambda queue: queue.failed,
    Kind.WAITING: lambda queue: queue.depth,
    Kind.RUNNING: lambda queue: queue.running,
}


def _work(queue: QueueHistory) -> int:
    there = (
        max((value or 0 for value in each), default=0) for each in (queue.depth, queue.running)
    )
    return sum(_ended(queue)) + sum(there)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
