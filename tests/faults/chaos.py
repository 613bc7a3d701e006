"""A random mix of all faults: `python -m tests.faults.chaos MINUTES [SEED]`.

Prints how often each fault came, what the load saw, and whether each invariant holds; the exit
status is 1 if one does not.
"""

import random
import secrets
import sys
import time
from collections import Counter

from tests.faults.evidence import Evidence
from tests.faults.footprint import Footprint
from tests.faults.injections import INJECTIONS, pause
from tests.faults.invariants import INVARIANTS
from tests.faults.ledger import Ledger
from tests.support.calls import percentile
from tests.support.mariadb import MariaDBServer

RATE = 30.0
SETTINGS = {"TASKQ_LEASE_SECONDS": "10"}
"""A lease that is longer than the database hangs."""

QUIET_SECONDS = 300.0
SETTLED_SECONDS = 10.0


def run(minutes: float, seed: int) -> bool:
    """Break things for so many minutes; whether all invariants hold at the end."""
    chance = random.Random(seed)
    done: Counter[str] = Counter()
    with MariaDBServer() as mariadb, Ledger(mariadb, SETTINGS, proxied=True) as ledger:
        ledger.begin()
        pause(2.0)
        before = Footprint.of(ledger.stack)
        end = time.monotonic() + minutes * 60
        round_of_all: list[str] = []
        with ledger.load(rate=RATE):
            while time.monotonic() < end:
                round_of_all = round_of_all or chance.sample(list(INJECTIONS), len(INJECTIONS))
                name = round_of_all.pop()
                INJECTIONS[name](ledger, chance)
                done[name] += 1
                pause(chance.uniform(0.2, 4.0))
            ledger.heal()
            pause(SETTLED_SECONDS)
        quiet = _quiet(ledger)
        evidence = ledger.evidence()
        _print_figures(ledger, evidence, done, quiet, (before, Footprint.of(ledger.stack)))
    return _print_verdicts(evidence, seed)


def _quiet(ledger: Ledger) -> str:
    try:
        return f"{ledger.quiet(QUIET_SECONDS):.1f} s"
    except TimeoutError as error:
        return f"never: {error}"


def _print_figures(
    ledger: Ledger,
    evidence: Evidence,
    done: Counter[str],
    quiet: str,
    footprints: tuple[Footprint, Footprint],
) -> None:
    submits = evidence.submits
    answers = Counter(status for one in submits for status in one.answers)
    starts = {line.task_id: line.at for line in reversed(evidence.lines) if line.event == "start"}
    waited = [
        starts[one.task_id] - max(one.asked_at, one.run_at or 0.0)
        for one in submits
        if one.task_id in starts
    ]
    print("| figure | value |\n|---|---|")
    for name in INJECTIONS:
        _row(name, done[name])
    _row("tasks", len(evidence.rows))
    _row("answers", dict(sorted(answers.items())))
    _row("tries without an answer", sum(one.broken for one in submits))
    _row("outcomes of attempts", evidence.outcomes())
    _row("runs beyond the first", evidence.extra_runs())
    _row("submit to start p50", f"{percentile(waited, 50):.2f} s")
    _row("submit to start p99", f"{percentile(waited, 99):.2f} s")
    _row("quiet after the load", quiet)
    _row("at the start", footprints[0])
    _row("at the end", footprints[1])


def _print_verdicts(evidence: Evidence, seed: int) -> bool:
    holds = True
    for name, invariant in INVARIANTS.items():
        try:
            invariant(evidence)
        except AssertionError as error:
            holds = False
            _row(name, f"BROKEN: {error}")
        else:
            _row(name, "holds")
    print(f"{'all invariants hold' if holds else 'BROKEN'} (seed {seed})", flush=True)
    return holds


def _row(name: str, value: object) -> None:
    print(f"| {name} | {value} |", flush=True)


def main() -> int:
    """Read the command line."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(1_000_000)
    return 0 if run(minutes, seed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
