"""What is asked of taskq: each bar is a ratio within one run, or a plain figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Rounds = Mapping[str, Mapping[str, Sequence[float]]]
"""Contestant, then measure, then one value a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One line of the table.

    Attributes:
        measure: what of the scenario's numbers counts.
        ours: the contestant that is judged.
        theirs: the contestant it is divided by; None for a plain figure.
        must: without it the work is not done.
        goal: what we want.
        at_most: less is better.
    """

    measure: str
    ours: str = "taskq"
    theirs: str | None = None
    must: float | None = None
    goal: float | None = None
    at_most: bool = False

    def value(self, rounds: Rounds) -> float | None:
        """The ratio of the medians; None if somebody did not run."""
        ours = rounds.get(self.ours, {}).get(self.measure)
        if not ours:
            return None
        if self.theirs is None:
            return median(ours)
        theirs = rounds.get(self.theirs, {}).get(self.measure)
        return median(ours) / median(theirs) if theirs else None

    def verdict(self, value: float) -> str:
        """`goal`, `must`, `missed`, or nothing where only a goal is set and missed."""
        if self.goal is not None and self._holds(value, self.goal):
            return "goal"
        if self.must is not None:
            return "must" if self._holds(value, self.must) else "missed"
        return "" if self.goal is None else "below goal"

    def _holds(self, value: float, bound: float) -> bool:
        return value <= bound if self.at_most else value >= bound


_MANY = "200 namespaces"

BARS: Mapping[str, tuple[Bar, ...]] = {
    "P1": (
        Bar(measure="req/s", theirs="handwritten", must=4, goal=6),
        Bar(measure="p99 ms", theirs="handwritten", must=1 / 3, at_most=True),
        Bar(measure="req/s", theirs="nothing", goal=0.7),
        Bar(measure="req/s", ours="taskq-key", theirs="taskq", must=0.95),
    ),
    "P2": (Bar(measure="tasks/s", theirs="handwritten", must=4, goal=7),),
    "P3": (
        Bar(measure="tasks/s", theirs="procrastinate", must=4),
        Bar(measure="tasks/s", theirs="arq", must=2.5),
        Bar(measure="tasks/s", theirs="pgqueuer-10", must=0.6, goal=1.2),
        Bar(measure="tasks/s", theirs="pgqueuer", must=0.6, goal=1.2),
        Bar(measure="tasks/s", ours="taskq-300", theirs="pgqueuer", must=0.6, goal=1.2),
        Bar(measure="tasks/s", theirs="celery"),
        Bar(measure="tasks/s", theirs="dramatiq"),
    ),
    "P4": (
        Bar(measure="tasks/s", theirs="handwritten", must=15),
        Bar(measure="tasks/s", theirs="pgqueuer", goal=0.5),
    ),
    "P5": (
        Bar(measure="p50 ms", theirs="handwritten", must=0.4, at_most=True),
        Bar(measure="p50 ms", theirs="celery", goal=1.5, at_most=True),
        Bar(measure="p99 ms", theirs="procrastinate", goal=1, at_most=True),
    ),
    "P6": (
        Bar(measure="idle % of a core", must=2, goal=1, at_most=True),
        Bar(measure="PSS MB", must=200, goal=160, at_most=True),
        Bar(measure="growth MB", must=10, goal=5, at_most=True),
    ),
    "P7": (
        Bar(measure="p95 ms", ours="1 million", must=30, goal=15, at_most=True),
        Bar(measure="p95 ms", ours="1 million", theirs="10,000", must=2, goal=1.3, at_most=True),
        Bar(measure="nothing matches ms", ours="1 million", must=100, at_most=True),
    ),
    "P8": (Bar(measure="tasks/s", ours="1 million", theirs="10,000", must=0.8, goal=0.95),),
    "P9": (
        Bar(measure="tasks/s", ours="2 + 3 processes", theirs="1 + 1", must=1, goal=1.2),
        Bar(measure="conflicts %", ours="2 + 3 processes", must=1, at_most=True),
    ),
    "P10": (Bar(measure="tasks/s", ours="taskq-dev", theirs="handwritten", must=1, goal=3),),
    "P11": (Bar(measure="seconds", ours="processes", theirs="threads", must=0.65, at_most=True),),
    "P12": (
        *(
            Bar(measure=each, ours=_MANY, theirs="one namespace", must=2, at_most=True)
            for each in ("idle ms/s", "statements/s", "commands/s")
        ),
        Bar(measure="flooded / empty", ours=_MANY, must=2, at_most=True),
    ),
    "P14": (
        Bar(measure="seconds", ours="taskq", must=5, at_most=True),
        Bar(measure="beside / alone", ours="taskq", must=2, at_most=True),
    ),
}
