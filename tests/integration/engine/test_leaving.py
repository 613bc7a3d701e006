"""What handlers started does not outlive their process, nor hold what the next one needs."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.integration.engine.calls import get, submit
from tests.support.calls import alive, inner_pid
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

SETTINGS = {
    "TASKQ_HANDLERS": "tests.support.leaving",
    "TASKQ_CANCEL_GRACE_SECONDS": "0.2",
    "TASKQ_DRAIN_SECONDS": "0.2",
    "TASKQ_BLOCK_SECONDS": "3",
}


@contextmanager
def left_behind(stack: Stack) -> Iterator[list[int]]:
    """Processes that a handler has left running; those that are still there are killed."""
    pids: list[int] = get(stack, submit(stack, "leaving.behind", {}), wait=60)["result"]
    assert len(pids) == 9, "a program, two pools of two, a manager and three processes"
    try:
        yield pids
    finally:
        for pid in filter(alive, pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def gone(pids: list[int]) -> None:
    wait_until(lambda: not any(map(alive, pids)), 180, "they all ended", 0.05, lambda: str(pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_dev_leaves_nothing_behind(new_stack: NewStack, number: signal.Signals) -> None:
    stack = new_stack("sqlite", settings=SETTINGS)
    with left_behind(stack) as pids:
        dev = stack.apis.pop()
        dev.signal(number)
        assert dev.wait(timeout=180) == 0
        assert not any(map(alive, pids))
        stack.start_api()


def test_what_a_killed_dev_left_behind_does_not_hold_its_folder_or_its_port(
    new_stack: NewStack,
) -> None:
    stack = new_stack("sqlite", settings=SETTINGS)
    with left_behind(stack) as pids:
        stack.kill_api()
        assert any(map(alive, pids)), "nobody can end them"
        stack.start_api()
        assert get(stack, submit(stack, "taskq.echo", {"value": 1}), wait=60)["result"] == 1


def test_a_worker_leaves_nothing_behind(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    with left_behind(stack) as pids:
        assert stack.stop_worker() == 0
        assert not any(map(alive, pids))


@pytest.mark.parametrize("handler", ["leaving.deaf", "leaving.block"])
def test_a_worker_that_is_replaced_leaves_nothing_behind(new_stack: NewStack, handler: str) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    before = inner_pid(stack)
    with left_behind(stack) as pids:
        submit(stack, handler, {})
        gone([before, *pids])
