"""Run the benchmarks: `python -m benchmarks [SCENARIO...] [--rounds N] [--with PEER] ...`."""

import argparse
import sys
import traceback
from collections import defaultdict
from pathlib import Path

from benchmarks import charts, machine, report
from benchmarks.bars import Rounds
from benchmarks.catalog import SCENARIOS, Contestants, Scenario
from benchmarks.servers import Servers


def main() -> None:
    """Measure, print the table, and write `results.json` and the charts."""
    wanted = _arguments()
    results: report.Results = {}
    with Servers() as servers:
        for name in wanted.scenarios:
            scenario = SCENARIOS[name]
            contestants = _contestants(scenario, wanted)
            count = max(1, int(scenario.count * wanted.scale))
            print(f"{name} {scenario.title}: {', '.join(contestants)}; {count:,}", flush=True)
            results[name] = _rounds(servers, scenario, contestants, count, wanted.rounds)
        found = machine.describe(servers)
    print(*(f"{key}: {value}" for key, value in found.items()), sep="\n")
    print(*report.figures(results), *report.ratios(results), sep="\n")
    wanted.output.mkdir(parents=True, exist_ok=True)
    report.write(wanted.output / "results.json", results, found)
    charts.write(wanted.output, results)


def _rounds(
    servers: Servers, scenario: Scenario, contestants: Contestants, count: int, rounds: int
) -> Rounds:
    """Let each contestant run once in each round, so that all of them share the same weather."""
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in contestants}
    for number in range(1, rounds + 1):
        for name, peer in contestants.items():
            try:
                with peer(servers) as opened:
                    numbers = scenario.run(opened, count)
            except Exception:
                traceback.print_exc()
                print(f"  round {number}: {name} failed", file=sys.stderr, flush=True)
                continue
            for measure, value in numbers.items():
                found[name][measure].append(value)
            line = ", ".join(f"{value:,.1f} {measure}" for measure, value in numbers.items())
            print(f"  round {number}: {name:14} {line}", flush=True)
    return found


def _contestants(scenario: Scenario, wanted: argparse.Namespace) -> Contestants:
    everybody = {**scenario.default, **scenario.on_request}
    chosen = wanted.only or [*scenario.default, *wanted.extra]
    return {name: everybody[name] for name in chosen if name in everybody}


def _arguments() -> argparse.Namespace:
    by_name = {key.lower(): name for name, one in SCENARIOS.items() for key in (name, one.title)}
    parser = argparse.ArgumentParser(
        prog="nox -s bench --",
        description=__doc__,
        epilog="BENCH_RICH=1: 4 kB, two tags and a real handler in P1, P2, P4, P5 and P10. "
        "Two commits of taskq: --against COMMIT --help",
    )
    parser.add_argument("scenarios", nargs="*", type=str.lower, help=", ".join(by_name))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of tasks")
    parser.add_argument("--with", dest="extra", action="append", default=[], metavar="PEER")
    parser.add_argument("--only", action="append", default=[], metavar="PEER")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks"))
    given = parser.parse_args()
    unknown = [name for name in given.scenarios if name not in by_name]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    given.scenarios = [by_name[name] for name in given.scenarios] or list(SCENARIOS)
    return given


if __name__ == "__main__":
    main()
