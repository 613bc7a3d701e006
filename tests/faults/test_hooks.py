"""Hooks run at least once for every transition, whoever dies in between."""

import os
import signal

import pytest

from tests.faults.handlers import KILLER
from tests.faults.ledger import Ledger
from tests.support.calls import repeats

KILLS = repeats(3, 15)


@pytest.mark.timeout(repeats(180, 600))
def test_hooks_of_a_process_that_died_in_them_are_replayed(ledger: Ledger) -> None:
    """The first run of each hook ends its process: for good if nobody replayed them."""
    doomed = [ledger.callers.submit(KILLER, max_retries=1) for _ in range(repeats(1, 4))]
    ledger.interruptions += 2 * len(doomed)
    evidence = ledger.settle("hooks that kill their process", timeout=120)
    killed = [line.event for line in evidence.lines if line.event.startswith("killed_in")]
    assert killed.count("killed_in_on_retry") == len(doomed)
    assert killed.count("killed_in_on_job_failure") == len(doomed)


@pytest.mark.timeout(repeats(180, 600))
def test_hooks_run_although_workers_are_killed(ledger: Ledger) -> None:
    with ledger.load(mix={"faults.once": 50, "faults.always": 50}, rate=40):
        for number in range(KILLS):
            ledger.until_accepted((number + 1) * 60)
            last = [line for line in ledger.lines() if line.event == "start"][-1]
            ledger.interruptions += 1
            os.kill(last.pid, signal.SIGKILL)
    evidence = ledger.settle(f"hooks under {KILLS} SIGKILL", timeout=120)
    owed = evidence.outcomes()["failed"]
    ran = sum(line.event in {"on_retry", "on_job_failure"} for line in evidence.lines)
    print(f"hooks: {owed} failures, {ran} hooks ran, {ran - owed} of them again")
