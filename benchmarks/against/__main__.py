"""Measure two commits: `nox -s bench -- --against COMMIT [SCENARIO...] [--pairs N]`.

COMMIT is "before", this checkout as it stands is "after". The wheels of both are installed into
environments of their own and run in pairs, in turns before-after and after-before, against the
same MariaDB and Valkey, each time on an empty database. Clients and load generators are part of
the environment, the benchmarks are this checkout's for both.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.against import environments, table
from benchmarks.against.pairs import ENOUGH, Pair, Verdict, judge
from benchmarks.against.run import CannotMeasureError, run_once
from benchmarks.against.scenarios import SCENARIOS
from benchmarks.servers import Servers
from tests.support.processes import ROOT
from tests.support.servers import MissingServerError

_EPILOG = f"""
Each ratio says after / before for rates and before / after for times, so that above 1 is better.
The median of all pairs has an interval of 95 %, from order statistics (six pairs at least). "0.97
of before" means that the interval reaches 0.97, and that CPU, user and system, of all processes
together grows by 3 % at most. Only {ENOUGH} pairs or more hold: fewer have a wider interval, which
reaches more easily. The status is 0, 1 if a verdict was missed, and 2 if something could not be
measured. {ENOUGH} pairs of all scenarios take about 20 minutes on two cores. Linux only.

A quick look: --pairs 2 --scale 0.2
"""


def main() -> int:
    """Measure, print, and return the status."""
    wanted = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="taskq-against-") as folder:
        os.environ["TMPDIR"] = folder  # what an interrupted process leaves goes with it
        return _report(wanted, Path(folder))


def _report(wanted: argparse.Namespace, folder: Path) -> int:
    """Print what was measured, also when something fails or Ctrl-C ends it."""
    pairs: dict[str, list[Pair]] = {name: [] for name in wanted.scenarios}
    status = 0
    try:
        _measure(wanted, folder, pairs)
    except (CannotMeasureError, MissingServerError) as error:
        print(f"bench --against: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = 130
    verdicts = [_print(name, found, wanted.at_least) for name, found in pairs.items() if found]
    return status or int(any(verdict.missed for verdict in verdicts))


def _measure(wanted: argparse.Namespace, folder: Path, pairs: Mapping[str, list[Pair]]) -> None:
    """Fill `pairs`; those that are complete stay when something fails."""
    if sys.platform != "linux":
        raise CannotMeasureError("CPU is read from the clocks of Linux: measure there")
    pythons = _install(wanted.against, folder)
    with Servers() as servers:
        for number in range(1, wanted.pairs + 1):
            for name, found in pairs.items():
                count = max(1, int(SCENARIOS[name].count * wanted.scale))
                # In turns, because whoever runs second finds what the first one left to MariaDB.
                turn = list(pythons) if number % 2 else list(reversed(pythons))
                runs = {
                    side: run_once(servers, pythons[side], name, count, folder) for side in turn
                }
                found.append(Pair(**runs))
                judged = SCENARIOS[name].judged
                one = ", ".join(f"{side} {runs[side].numbers[judged]:,.1f}" for side in turn)
                print(f"{number:3} of {wanted.pairs}: {name} {judged}: {one}", flush=True)


def _install(commit: str, folder: Path) -> dict[str, Path]:
    """The interpreters of `before` and `after`."""
    commit = environments.find_commit(ROOT, commit)
    print(f"before: {environments.describe(ROOT, commit)}", flush=True)
    changed = " and what is not committed" if environments.is_changed(ROOT) else ""
    print(f"after:  {environments.describe(ROOT, 'HEAD')}{changed}", flush=True)
    sources = {"before": environments.unpack(ROOT, commit, folder / "source"), "after": ROOT}
    pythons = {}
    for side, source in sources.items():
        (folder / side).mkdir()
        pythons[side] = environments.install(source, folder / side)
    return pythons


def _print(name: str, pairs: Sequence[Pair], at_least: float) -> Verdict:
    scenario = SCENARIOS[name]
    verdict = judge(pairs, scenario.judged, at_least)
    print(*table.lines(f"{name} {scenario.title}", pairs, verdict), sep="\n", flush=True)
    return verdict


def _arguments() -> argparse.Namespace:
    by_name = {key.lower(): name for name, one in SCENARIOS.items() for key in (name, one.title)}
    parser = argparse.ArgumentParser(
        prog="nox -s bench --",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenarios", nargs="*", type=str.lower, help=", ".join(by_name))
    parser.add_argument("--against", required=True, metavar="COMMIT", help="what was before")
    pairs, scale, share = _number(int, 1_000), _number(float, 100), _number(float, 1)
    reach = "what the interval has to reach; CPU may grow by the rest (0.97)"
    parser.add_argument("--pairs", type=pairs, default=ENOUGH, help="of runs, one of each (15)")
    parser.add_argument("--scale", type=scale, default=1.0, help="times the number of tasks")
    parser.add_argument("--at-least", type=share, default=0.97, help=reach)
    given = parser.parse_args()
    unknown = [name for name in given.scenarios if name not in by_name]
    if unknown:
        parser.error(f"no such scenario with --against: {', '.join(unknown)}")
    given.scenarios = list(dict.fromkeys(by_name[name] for name in given.scenarios or by_name))
    return given


def _number(kind: Callable[[str], float], most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most {most:,}")
        return value

    read.__name__ = kind.__name__
    return read


if __name__ == "__main__":
    sys.exit(main())
