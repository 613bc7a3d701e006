"""What pairs of runs say: ratios, the interval of their median, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Self

from benchmarks.against.run import Run

ENOUGH = 15
"""So many pairs make a verdict: the fewer there are, the wider the interval that has to reach."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs, one right after the other."""

    before: Run
    after: Run

    def ratio(self, measure: str) -> float:
        """How the commits compare; above 1 the new one is better, for rates and for times."""
        before, after = self.before.numbers[measure], self.after.numbers[measure]
        return before / after if measure.endswith("ms") else after / before


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the median of the distribution lies that some values come from, with 95 %."""

    low: float
    high: float

    @classmethod
    def of_median(cls, values: Sequence[float]) -> Self | None:
        """From two order statistics, whatever the distribution is; None for fewer than six values.

        Each value is below the median with probability 1/2, so the number of those that are is
        binomial, and the outermost values are given up as long as what lies outside of the rest
        is the median in 5 % of all cases at most.
        """
        count, given_up, outside = len(values), -1, 0.0
        while outside <= 0.05:
            given_up += 1
            outside += 2 * comb(count, given_up) / 2**count
        if given_up == 0:
            return None
        ordered = sorted(values)
        return cls(ordered[given_up - 1], ordered[-given_up])


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of both commits, as medians."""

    before: float
    after: float

    @property
    def growth(self) -> float:
        """0.03 means 3 % more than before."""
        return self.after / self.before - 1 if self.before else 0.0


def numbers(pairs: Sequence[Pair], measure: str) -> Change:
    """One measure of both commits."""
    return Change(
        median(pair.before.numbers[measure] for pair in pairs),
        median(pair.after.numbers[measure] for pair in pairs),
    )


def cpu(pairs: Sequence[Pair]) -> dict[str, Change]:
    """CPU of both commits by process, and that of `all` together."""
    names = dict.fromkeys(name for pair in pairs for name in [*pair.before.cpu, *pair.after.cpu])
    found = {
        name: Change(
            median(pair.before.cpu.get(name, 0.0) for pair in pairs),
            median(pair.after.cpu.get(name, 0.0) for pair in pairs),
        )
        for name in names
    }
    found["all"] = Change(
        median(sum(pair.before.cpu.values()) for pair in pairs),
        median(sum(pair.after.cpu.values()) for pair in pairs),
    )
    return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a scenario is "0.97 of before", if the bound is 0.97.

    Attributes:
        missed: why it is not, in words.
        pairs: how many pairs there were.
    """

    missed: tuple[str, ...]
    pairs: int

    def __str__(self) -> str:
        if self.missed:
            return f"missed: {' and '.join(self.missed)}"
        if self.pairs < ENOUGH:
            return f"nothing missed, but no verdict: {self.pairs} of {ENOUGH} pairs"
        return "holds"


def judge(pairs: Sequence[Pair], measure: str, at_least: float) -> Verdict:
    """Hold one measure, and the CPU of all processes, against a bound.

    Args:
        pairs: All pairs of one scenario.
        measure: What counts of its numbers.
        at_least: What the interval has to reach; CPU may grow by what is missing to 1.
    """
    interval = Interval.of_median([pair.ratio(measure) for pair in pairs])
    missed = []
    if interval is not None:
        if interval.high < at_least:
            missed.append(f"the interval of {measure} ends below {at_least:g}")
        growth, most = cpu(pairs)["all"].growth, 1 - at_least
        if growth > most + 1e-9:
            missed.append(f"CPU grew by {growth:.1%}, more than {most:.0%}")
    return Verdict(tuple(missed), len(pairs))
