"""What a result needs to be written is its attempt's affair, and nobody else's."""

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from tests.integration.engine.calls import get, submit
from tests.support.lazy_results import ENDLESS, SLOW
from tests.support.stack import NewStack, Stack

SECONDS = 2.0
SETTINGS = {"TASKQ_HANDLERS": "tests.support.lazy_results"}


def stood_still(stack: Stack, pulse: str) -> float:
    return float(get(stack, pulse, wait=60)["result"])


def test_neighbours_go_on_while_results_are_written(new_stack: NewStack) -> None:
    """In `dev`; a worker writes them the same way, and the database has no part in it."""
    stack = new_stack("sqlite", settings=SETTINGS)
    pulse = submit(stack, "lazy.pulse", {"seconds": 2 * SECONDS})
    ids = {
        submit(stack, handler, {"kind": one, "seconds": SECONDS}): expected
        for one, (_, expected) in SLOW.items()
        for handler in ("lazy.thread", "lazy.loop")
    }
    late = [
        submit(stack, handler, {"kind": one, "seconds": 60}, timeout_seconds=0.5)
        for one in ("generator", "computed")
        for handler in ("lazy.thread", "lazy.loop")
    ]
    assert stood_still(stack, pulse) < 0.9 * SECONDS
    for task_id, expected in ids.items():
        task = get(stack, task_id, wait=60)
        assert (task["status"], task["attempt"]) == ("succeeded", 1), task
        assert task["result"] == (expected or {"seconds": SECONDS, "late": "computed"})
    for task_id in late:
        task = get(stack, task_id, wait=60)
        assert [error["outcome"] for error in task["errors"]] == ["timed_out"], task


def test_a_result_without_end_fails_its_task_alone(new_stack: NewStack) -> None:
    """They keep the processor busy: beside other programs the worker beats late."""
    few = {"TASKQ_THREADS": "2", "TASKQ_CONCURRENCY": "6", "TASKQ_LEASE_SECONDS": "120"}
    stack = new_stack("mariadb", settings={**SETTINGS, **few})
    pulse = submit(stack, "lazy.pulse", {"seconds": 3.0})
    handlers = cycle(["endless.thread", "endless.loop"])
    with ThreadPoolExecutor(8) as callers:
        ids = [
            callers.submit(submit, stack, handler, {"kind": one})
            for one, handler in zip(ENDLESS, handlers, strict=False)
        ]
        tasks = list(callers.map(lambda task: get(stack, task.result(), wait=60), ids))
    for task in tasks:
        (error,) = task["errors"]
        assert (task["status"], task["attempt"], error["type"]) == ("failed", 1, "InvalidResult")
        assert "bytes of JSON that are allowed" in error["message"]
    assert stood_still(stack, pulse) < 0.9 * SECONDS
