"""The table, and the same as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.bars import BARS, Bar, Rounds

Results = dict[str, Rounds]
"""By scenario."""


def figures(results: Results) -> list[str]:
    """One line for each contestant and measure: the median, and the range of all rounds."""
    titles = "".join(f"{title:>12}" for title in ("median", "min", "max"))
    lines = ["", f"{'':5}{'contestant':16}{'measure':20}{titles}  rounds"]
    for scenario, rounds in results.items():
        for contestant, measures in rounds.items():
            for measure, values in measures.items():
                numbers = "".join(f"{f(values):>12,.1f}" for f in (median, min, max))
                lines.append(f"{scenario:5}{contestant:16}{measure:20}{numbers}  {len(values)}")
    return lines


def ratios(results: Results) -> list[str]:
    """One line for each bar that could be judged."""
    lines = ["", f"{'':5}{'':52}{'value':>9}{'must':>9}{'goal':>9}"]
    for scenario, rounds in results.items():
        for bar in BARS[scenario]:
            value = bar.value(rounds)
            if value is not None:
                lines.append(f"{scenario:5}{_line(bar, value)}")
    return lines


def write(path: Path, results: Results, machine: Mapping[str, str]) -> None:
    """Write everything as JSON."""
    judged = [
        {"scenario": scenario, "bar": _name(bar), "value": value, "verdict": bar.verdict(value)}
        for scenario, rounds in results.items()
        for bar in BARS[scenario]
        if (value := bar.value(rounds)) is not None
    ]
    document = {"machine": machine, "bars": judged, "rounds": results}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _line(bar: Bar, value: float) -> str:
    bounds = "".join(f"{_bound(bar, one):>9}" for one in (bar.must, bar.goal))
    return f"{_name(bar):52}{value:>9.2f}{bounds}  {bar.verdict(value)}"


def _name(bar: Bar) -> str:
    against = "" if bar.theirs is None else f" / {bar.theirs}"
    return f"{bar.measure}: {bar.ours}{against}"


def _bound(bar: Bar, value: float | None) -> str:
    return "" if value is None else f"{'≤' if bar.at_most else '≥'} {value:.3g}"
