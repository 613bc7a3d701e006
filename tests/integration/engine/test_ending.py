"""A worker is there until it is told to stop, however its handlers end it."""

from typing import Any

import pytest

from tests.integration.engine.calls import get, submit
from tests.support.calls import inner_pid
from tests.support.ending import LEFT
from tests.support.stack import NewStack

SETTINGS = {
    "TASKQ_HANDLERS": "tests.support.handlers,tests.support.ending",
    "TASKQ_LEASE_SECONDS": "2",
    "TASKQ_JANITOR_SECONDS": "0.3",
}


def test_a_worker_that_a_handler_ends_is_replaced(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    for way in ("exit 0", "exit 78", "SIGTERM"):
        before = inner_pid(stack)
        task_id = submit(stack, "ending.once", {"way": way})
        assert get(stack, task_id, wait=60)["status"] == "succeeded", way
        after = inner_pid(stack, other_than=before)
        assert get(stack, submit(stack, "tests.pid", {}), wait=60)["result"] == after, way
    assert stack.stop_worker() == 0


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_an_exit_that_a_handler_leaves_on_the_loop_is_left_alone(
    new_stack: NewStack, kind: Any
) -> None:
    stack = new_stack(kind, settings=SETTINGS)
    worker = stack.workers[0]
    pid = get(stack, submit(stack, "tests.pid", {}), wait=60)["result"]
    for what in LEFT:
        ended = get(stack, submit(stack, "ending.left", {"what": what}), wait=60)
        assert (what, ended["status"], ended["result"]) == (what, "succeeded", pid)
    failed = get(stack, submit(stack, "ending.awaited", {}), wait=60)
    assert [one["type"] for one in failed["errors"]] == ["SystemExit"]
    assert get(stack, submit(stack, "tests.pid", {}), wait=60)["result"] == pid
    assert stack.stop_worker() == 0, worker.output(2_000)
    assert "something that a handler left on the event loop raised an exit" in worker.output()
