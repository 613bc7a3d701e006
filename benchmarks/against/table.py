"""The figures of two commits as text."""

from collections.abc import Sequence
from statistics import median

from benchmarks.against.pairs import Change, Interval, Pair, Verdict, cpu, numbers

_TITLE = f"{'':24}{'before':>12}{'after':>12}"


def lines(title: str, pairs: Sequence[Pair], verdict: Verdict) -> list[str]:
    """All that is known of one scenario."""
    measures = pairs[0].before.numbers
    return [
        "",
        f"{title}, {len(pairs)} pairs",
        f"{_TITLE}{'ratio':>12}  95 % of the median (above 1 is better)",
        *(_measure(pairs, measure) for measure in measures),
        f"{_TITLE}{'growth':>12}  CPU µs a task",
        *(_cpu(name, change) for name, change in cpu(pairs).items()),
        f"  {verdict}",
    ]


def _measure(pairs: Sequence[Pair], measure: str) -> str:
    ratios = [pair.ratio(measure) for pair in pairs]
    found = Interval.of_median(ratios)
    between = "too few pairs" if found is None else f"{found.low:.3f} to {found.high:.3f}"
    return f"{_change(measure, numbers(pairs, measure))}{median(ratios):>12.3f}  {between}"


def _cpu(name: str, change: Change) -> str:
    return f"{_change(name, change)}{change.growth:>+12.1%}"


def _change(name: str, change: Change) -> str:
    return f"  {name:22}{change.before:>12,.1f}{change.after:>12,.1f}"
