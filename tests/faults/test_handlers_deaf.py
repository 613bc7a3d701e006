"""Handlers that block the event loop or the process, or ignore that they are told to stop."""

import os
import signal
import time

import pytest

from tests.support.calls import HANDLERS, Calls, alive, children, counted, inner_pid
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

NEIGHBOURS = 10
SETTINGS = {
    "TASKQ_HANDLERS": HANDLERS,
    "TASKQ_LEASE_SECONDS": "2",
    "TASKQ_JANITOR_SECONDS": "0.5",
    "TASKQ_CANCEL_GRACE_SECONDS": "0.5",
    "TASKQ_DRAIN_SECONDS": "0.5",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("handler", ["bad.deaf", "bad.deaf_thread"])
def test_a_deaf_handler_is_stopped_hard(new_stack: NewStack, handler: str) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    with Calls(stack.api_url) as calls:
        timed_out = calls.outcomes(_stop_hard(stack, calls, handler, timeout_seconds=0.5))
        cancelled = calls.outcomes(_stop_hard(stack, calls, handler, timeout_seconds=60))
        neighbours = calls.until_quiet(30)
        spared = [one for one in neighbours if one["handler"] == "bad.neighbour"]
        histories = counted(" ".join(calls.outcomes(one["id"])) for one in spared)
    print(f"{handler}: {timed_out} and {cancelled}; its neighbours: {histories}")
    assert (timed_out, cancelled) == (["timed_out"], ["cancelled"])
    assert histories == {"released succeeded": 2 * NEIGHBOURS}
    assert {one["current_retry_count"] for one in spared} == {0}


def _stop_hard(stack: Stack, calls: Calls, handler: str, timeout_seconds: float) -> str:
    """Run a deaf handler beside others, stop it by its timeout or a cancel; return its id."""
    pid, asked = inner_pid(stack), time.monotonic()
    calls.submit_many(NEIGHBOURS, "bad.neighbour", tags=[f"{timeout_seconds}"], max_retries=0)
    calls.until_running(f"{timeout_seconds}", NEIGHBOURS)
    deaf = calls.submit(handler, timeout_seconds=timeout_seconds, max_retries=0)
    calls.until(deaf, "running")
    if timeout_seconds > 1:
        assert calls.cancel(deaf) == 202
    assert calls.get(deaf, wait=20)["status"] in {"failed", "cancelled"}
    wait_until(lambda: pid not in children(stack.workers[0].pid), 20, "the process ended", 0.05)
    seconds = time.monotonic() - asked
    assert inner_pid(stack, other_than=pid) != pid
    calls.until_quiet(30, handler="bad.neighbour")
    print(f"\n{handler}: told to stop and its process gone, all in {seconds:.1f} s")
    return deaf


@pytest.mark.timeout(90)
def test_a_blocked_event_loop_is_noticed(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings={**SETTINGS, "TASKQ_BLOCK_SECONDS": "2"})
    pid = inner_pid(stack)
    with Calls(stack.api_url) as calls:
        calls.submit_many(NEIGHBOURS, "bad.neighbour", tags=["neighbour"], max_retries=0)
        calls.until_running("neighbour", NEIGHBOURS)
        blocker = calls.submit("bad.block", {"seconds": 60}, max_retries=0)
        blocked = time.monotonic()
        inner_pid(stack, other_than=pid)
        replaced_in = time.monotonic() - blocked
        neighbours = calls.until_quiet(60, tag="neighbour")
        calls.until(blocker, "failed", 60)
        failed_in = time.monotonic() - blocked
        outcomes = calls.outcomes(blocker)
    print(f"\nblocked loop: replaced in {replaced_in:.1f} s, failed in {failed_in:.1f} s")
    assert outcomes == ["lost", "lost", "lost"]
    assert failed_in < 55, "noticed, not waited for"
    assert counted(one["status"] for one in neighbours) == {"succeeded": NEIGHBOURS}
    assert {one["current_retry_count"] for one in neighbours} == {0}
    assert all(one["attempt"] <= 3 for one in neighbours)


@pytest.mark.timeout(120)
def test_a_process_in_which_nothing_runs_is_replaced(new_stack: NewStack) -> None:
    """A handler that holds the GIL leaves no thread that could end its process."""
    stack = new_stack("mariadb", settings={**SETTINGS, "TASKQ_BLOCK_SECONDS": "1"})
    pid = inner_pid(stack)
    with Calls(stack.api_url) as calls:
        calls.submit_many(NEIGHBOURS, "bad.neighbour", tags=["neighbour"], max_retries=0)
        calls.until_running("neighbour", NEIGHBOURS)
        holder = calls.submit("bad.hold_gil", timeout_seconds=2, max_retries=0)
        held = time.monotonic()
        wait_until(lambda: pid not in children(stack.workers[0].pid), 30, "the process ended", 0.05)
        ended_in = time.monotonic() - held
        inner_pid(stack, other_than=pid)
        neighbours = calls.until_quiet(60, tag="neighbour")
        calls.until(holder, "failed", 60)
        outcomes = calls.outcomes(holder)
    print(f"\nheld GIL: ended in {ended_in:.1f} s, the handler's attempts {outcomes}")
    assert outcomes[0] == "lost"
    assert counted(one["status"] for one in neighbours) == {"succeeded": NEIGHBOURS}
    assert {one["current_retry_count"] for one in neighbours} == {0}
    assert all(one["attempt"] <= 3 for one in neighbours)


@pytest.mark.timeout(90)
def test_a_process_in_which_nothing_runs_can_be_stopped(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings={**SETTINGS, "TASKQ_BLOCK_SECONDS": "1"})
    worker, pid = stack.workers[0], inner_pid(stack)
    with Calls(stack.api_url) as calls:
        calls.until(calls.submit("bad.hold_gil"), "running")
    assert worker.stop(timeout=30) == 1, worker.output(2_000)
    assert not alive(pid)


@pytest.mark.timeout(90)
def test_a_process_in_which_nothing_runs_ends_with_its_parent(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    pid = inner_pid(stack)
    with Calls(stack.api_url) as calls:
        calls.until(calls.submit("bad.hold_gil"), "running")
    stack.kill_worker()
    try:
        wait_until(lambda: not alive(pid), 5, "the process ended")
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
