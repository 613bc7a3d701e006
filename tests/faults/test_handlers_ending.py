"""Handlers that end their worker, in each way that looks as if it had been told to stop."""

import pytest

from tests.support.calls import Calls, inner_pid
from tests.support.ending import WAYS
from tests.support.stack import NewStack

SETTINGS = {
    "TASKQ_HANDLERS": "tests.support.handlers,tests.support.ending",
    "TASKQ_LEASE_SECONDS": "2",
    "TASKQ_JANITOR_SECONDS": "0.3",
}


@pytest.mark.timeout(240)
def test_a_worker_that_handlers_end_again_and_again_is_always_replaced(
    new_stack: NewStack,
) -> None:
    stack = new_stack("mariadb", settings=SETTINGS)
    worker, histories = stack.workers[0], {}
    with Calls(stack.api_url) as calls:
        for way in WAYS:
            before = inner_pid(stack)
            task_id = calls.submit("ending.once", {"way": way})
            calls.until(task_id, "succeeded", 45)
            histories[way] = " ".join(calls.outcomes(task_id))
            after = inner_pid(stack, other_than=before)
            assert calls.get(calls.submit("tests.pid"), wait=30)["result"] == after
    print(f"\nworkers ended by handlers: {histories}")
    assert set(histories.values()) <= {"lost succeeded", "succeeded"}
    assert worker.stop() == 0, worker.output(2_000)
