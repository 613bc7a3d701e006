"""Handlers that block the event loop, or ignore that they are told to stop."""

import time
from collections.abc import Iterator

import pytest

from tests.property.calls import HANDLERS, Calls, children, counted, inner_pid
from tests.support.mariadb import MariaDBServer
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


@pytest.fixture(scope="module")
def deaf_stack(mariadb_server: MariaDBServer) -> Iterator[Stack]:
    """A stack whose worker is recycled by each test."""
    with Stack("mariadb", mariadb=mariadb_server, settings=SETTINGS) as stack:
        yield stack


@pytest.mark.timeout(60)
@pytest.mark.parametrize("told", ["its time is up", "it is cancelled"])
@pytest.mark.parametrize("handler", ["bad.deaf", "bad.deaf_thread"])
def test_a_deaf_handler_is_stopped_hard(deaf_stack: Stack, handler: str, told: str) -> None:
    tag = f"{handler} {told}"
    pid = inner_pid(deaf_stack)
    with Calls(deaf_stack.api_url) as calls:
        calls.submit_many(NEIGHBOURS, "bad.neighbour", tags=[tag], max_retries=0)
        calls.until_running(tag, NEIGHBOURS)
        timeout = 0.5 if told == "its time is up" else 60
        deaf = calls.submit(handler, timeout_seconds=timeout, max_retries=0)
        calls.until(deaf, "running")
        asked = time.monotonic()
        if timeout == 60:
            assert calls.cancel(deaf) == 202
        status, outcomes = _end_of(calls, deaf), calls.outcomes(deaf)
        ended_in = time.monotonic() - asked
        recycled = inner_pid(deaf_stack, other_than=pid)
        wait_until(lambda: pid not in children(deaf_stack.workers[0].pid), 20, "the old one ended")
        gone_in = time.monotonic() - asked
        neighbours = calls.until_quiet(30, tag=tag)
        spared = calls.outcomes(neighbours[0]["id"])
    print(f"\n{tag}: {status} in {ended_in:.1f} s, process gone in {gone_in:.1f} s, {spared}")
    assert recycled != pid
    if timeout == 60:
        assert (status, outcomes) == ("cancelled", ["cancelled"])
    else:
        assert (status, outcomes) == ("failed", ["timed_out"])
    assert counted(one["status"] for one in neighbours) == {"succeeded": NEIGHBOURS}
    assert {one["current_retry_count"] for one in neighbours} == {0}
    assert spared == ["released", "succeeded"]


def _end_of(calls: Calls, task_id: str) -> str:
    return str(calls.get(task_id, wait=20)["status"])


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
