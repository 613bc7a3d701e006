"""The database hangs while tasks wait for their time, and while others run for long."""

import time
from datetime import UTC, datetime

import pytest

from tests.faults.evidence import Submit
from tests.faults.injections import pause
from tests.faults.ledger import Ledger, stopped
from tests.support.calls import percentile, repeats

HANGS = repeats(2, 5)
WAITING = 60
RUNNING = 30


@pytest.mark.timeout(repeats(180, 600))
def test_a_hang_shorter_than_the_lease_starts_nothing_early_and_takes_nothing_away(
    patient_ledger: Ledger,
) -> None:
    ledger = patient_ledger
    assert ledger.stack.mariadb is not None
    seconds = ledger.bearable
    waiting: list[Submit] = []
    with ledger.load(rate=20):
        for _ in range(HANGS):
            running = [
                ledger.callers.submit("faults.sleep", {"seconds": seconds + 4})
                for _ in range(RUNNING)
            ]
            for one in running:
                ledger.until_started(one)
            # When it answers again, the first of them is due, and the last in as long as it hung.
            due = [seconds * (1 + number / WAITING) for number in range(WAITING)]
            waiting += [ledger.callers.submit("faults.noop", run_at=_in(each)) for each in due]
            with stopped(ledger.stack.mariadb.child.pid):
                pause(seconds)
            ledger.until_accepted(len(ledger.callers.submits) + 10)
            for one in (*waiting, *running):
                ledger.until_started(one)
    late = [ledger.until_started(one).at - (one.run_at or 0.0) for one in waiting]
    evidence = ledger.settle(
        f"database frozen {HANGS} times for {seconds:.1f} s",
        first=f"{min(late) * 1000:.0f} ms late",
        late_p95=f"{percentile(late, 95):.1f} s",
    )
    assert evidence.extra_runs() == 0
    assert not evidence.outcomes().keys() & {"lost", "released"}


def _in(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()
