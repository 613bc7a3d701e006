"""Hooks run at least once for every transition, whoever dies in between."""

import os
import signal
import time

import pytest

from tests.faults.handlers import KILLER
from tests.faults.ledger import Ledger
from tests.support.calls import HANDLERS, Calls, database_name, inner_pid, repeats
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

HANGING = {
    "TASKQ_HANDLERS": f"{HANDLERS},tests.faults.bad_hooks",
    "TASKQ_HOOK_SECONDS": "0.2",
    "TASKQ_DRAIN_SECONDS": "0.5",
    "TASKQ_JANITOR_SECONDS": "0.5",
}
KILLS = repeats(3, 15)


@pytest.mark.timeout(repeats(180, 600))
def test_hooks_of_a_process_that_died_in_them_are_replayed(ledger: Ledger) -> None:
    """The first run of each hook ends its process: for good if nobody replayed them."""
    doomed = [ledger.callers.submit(KILLER, max_retries=1) for _ in range(repeats(1, 4))]
    ledger.expect_killing_hooks(2 * len(doomed))
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
            with ledger.interrupting(last.pid):
                os.kill(last.pid, signal.SIGKILL)
    evidence = ledger.settle(f"hooks under {KILLS} SIGKILL", timeout=120)
    owed = evidence.outcomes()["failed"]
    ran = sum(line.event in {"on_retry", "on_job_failure"} for line in evidence.lines)
    print(f"hooks: {owed} failures, {ran} hooks ran, {ran - owed} of them again")


@pytest.mark.timeout(120)
def test_hooks_that_never_return_hold_up_neither_others_nor_the_end(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings=HANGING)
    assert stack.mariadb is not None
    server, name = stack.mariadb, database_name(stack)
    pid, started = inner_pid(stack), time.monotonic()

    def marked() -> int:
        """How many hooks still have to run."""
        found = server.sql("SELECT COUNT(*) FROM task_attempts WHERE hook_done_at IS NULL", name)
        return int(found)

    with Calls(stack.api_url) as calls:
        calls.submit_many(60, "bad.fail", max_retries=0)
        calls.submit("bad.huge_message", {"size": 10}, max_retries=0)
        calls.until_quiet(30)
    wait_until(lambda: not marked(), 60, "all hooks have started", 0.1)
    assert inner_pid(stack, other_than=pid) != pid, "its process was full of them"
    ran_in, stopped = time.monotonic() - started, time.monotonic()
    assert stack.stop_worker(timeout=20) == 0
    print(f"61 hooks that hang: {ran_in:.1f} s, then {time.monotonic() - stopped:.1f} s to stop")
