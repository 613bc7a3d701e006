"""Two commits are compared by the median of the pairs' ratios, its interval, and their CPU."""

import random
from collections.abc import Sequence
from statistics import median

import pytest

from benchmarks.against import table
from benchmarks.against.pairs import ENOUGH, Interval, Pair, cpu, judge
from benchmarks.against.run import Run


def pair(
    before: float = 100,
    after: float = 100,
    *,
    measure: str = "req/s",
    cpu_before: float = 200,
    cpu_after: float = 200,
) -> Pair:
    return Pair(
        Run(numbers={measure: before}, cpu={"api": cpu_before, "mariadb": 50.0}),
        Run(numbers={measure: after}, cpu={"api": cpu_after, "mariadb": 50.0}),
    )


@pytest.mark.parametrize(
    ("measure", "before", "after", "ratio"),
    [
        ("req/s", 100, 110, 1.1),
        ("tasks/s", 100, 50, 0.5),
        ("p50 ms", 10, 20, 0.5),
        ("p99 ms", 30, 20, 1.5),
    ],
)
def test_a_ratio_above_one_is_better_for_rates_and_times(
    measure: str, before: float, after: float, ratio: float
) -> None:
    assert pair(before, after, measure=measure).ratio(measure) == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("count", "rank"),  # of the table in any book on order statistics
    [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (15, 4), (20, 6), (30, 10), (100, 40)],
)
def test_the_interval_is_between_two_order_statistics(count: int, rank: int) -> None:
    values = list(range(1, count + 1))
    random.Random(count).shuffle(values)
    assert Interval.of_median(values) == Interval(rank, count + 1 - rank)


@pytest.mark.parametrize("count", range(6))
def test_fewer_than_six_values_have_no_interval_of_95_percent(count: int) -> None:
    assert Interval.of_median([1.0] * count) is None


@pytest.mark.parametrize("count", [6, 15, 40])
def test_the_interval_has_the_true_median_in_95_of_100_cases(count: int) -> None:
    rng = random.Random(7)
    hits = 0
    for _ in range(2_000):
        found = Interval.of_median([rng.expovariate(1) for _ in range(count)])
        assert found is not None
        hits += found.low <= 0.693147 <= found.high
    assert 0.94 <= hits / 2_000 <= 0.985


def spread(middle: float, width: float, count: int = ENOUGH) -> Sequence[Pair]:
    """Ratios around `middle`, evenly from one end of `width` to the other."""
    steps = [middle + width * (n / (count - 1) - 0.5) for n in range(count)]
    return [pair(100, 100 * step) for step in steps]


def test_it_holds_where_the_interval_reaches_the_bound_though_the_median_does_not() -> None:
    pairs = spread(0.95, 0.20)
    assert median(one.ratio("req/s") for one in pairs) < 0.97
    assert str(judge(pairs, "req/s", 0.97)) == "holds"


def test_it_is_missed_where_the_interval_ends_below_the_bound() -> None:
    verdict = judge(spread(0.95, 0.02), "req/s", 0.97)
    assert str(verdict) == "missed: the interval of req/s ends below 0.97"
    assert not judge(spread(0.95, 0.02), "req/s", 0.9).missed


def test_a_time_that_grows_misses() -> None:
    pairs = [pair(10, 11, measure="p50 ms")] * ENOUGH
    assert judge(pairs, "p50 ms", 0.97).missed
    assert not judge([pair(11, 10, measure="p50 ms")] * ENOUGH, "p50 ms", 0.97).missed


@pytest.mark.parametrize(
    ("after", "at_least", "missed"),
    [(207.4, 0.97, False), (207.6, 0.97, True), (207.6, 0.9, False), (226, 0.9, True)],
)
def test_cpu_of_all_processes_grows_by_what_is_missing_to_one_at_most(
    after: float, at_least: float, missed: bool
) -> None:
    verdict = judge([pair(cpu_after=after)] * ENOUGH, "req/s", at_least)
    assert bool(verdict.missed) is missed
    assert ("CPU grew" in str(verdict)) is missed


def test_both_misses_are_named() -> None:
    verdict = judge([pair(100, 90, cpu_after=300)] * ENOUGH, "req/s", 0.97)
    assert str(verdict) == (
        "missed: the interval of req/s ends below 0.97 and CPU grew by 40.0%, more than 3%"
    )


def test_too_few_pairs_can_miss_but_never_hold() -> None:
    assert str(judge([pair()] * 14, "req/s", 0.97)) == (
        "nothing missed, but no verdict: 14 of 15 pairs"
    )
    assert judge([pair(100, 50)] * 6, "req/s", 0.97).missed
    assert not judge([pair(100, 50)] * 5, "req/s", 0.97).missed


def test_cpu_is_the_median_of_each_commit_by_process() -> None:
    pairs = [pair(cpu_before=100, cpu_after=last) for last in (110, 120, 900)]
    found = cpu(pairs)
    assert list(found) == ["api", "mariadb", "all"]
    assert found["api"].growth == pytest.approx(0.2)
    assert found["mariadb"].growth == 0
    assert (found["all"].before, found["all"].after) == (150, 170)


def test_a_process_that_only_one_commit_has_is_shown() -> None:
    before = Run(numbers={"req/s": 1.0}, cpu={"api": 10.0})
    after = Run(numbers={"req/s": 1.0}, cpu={"api": 10.0, "relay": 5.0})
    found = cpu([Pair(before, after)])
    assert (found["relay"].before, found["relay"].after) == (0, 5)
    assert found["all"].growth == pytest.approx(0.5)


def test_the_table_has_every_measure_every_process_and_the_verdict() -> None:
    pairs = [pair(100, 101, cpu_after=204)] * ENOUGH
    text = table.lines("P1 post", pairs, judge(pairs, "req/s", 0.97))
    rows = {line.split()[0]: line.split()[1:] for line in text if line.startswith("  ")}
    assert rows["req/s"] == ["100.0", "101.0", "1.010", "1.010", "to", "1.010"]
    assert rows["api"] == ["200.0", "204.0", "+2.0%"]
    assert rows["mariadb"] == ["50.0", "50.0", "+0.0%"]
    assert rows["all"] == ["250.0", "254.0", "+1.6%"]
    assert text[-1].strip() == "holds"
