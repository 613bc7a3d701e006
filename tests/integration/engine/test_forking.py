"""What handlers start: processes and programs that work and end as they do anywhere else."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.engine.calls import get, submit
from tests.support.forking import CASES, RESULTS
from tests.support.stack import NewStack, Stack

SETTINGS = {"TASKQ_HANDLERS": "tests.support.handlers,tests.support.forking"}


@pytest.fixture(autouse=True)
def _hears_sighup() -> Iterator[None]:
    """What it starts does, also where the run is one of `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_processes_of_handlers_are_like_any_others(new_stack: NewStack, kind: Any) -> None:
    stack = new_stack(kind, settings=SETTINGS)
    before = result(stack, submit(stack, "tests.pid", {}))
    for handler in ("forking.thread", "forking.loop"):
        tasks = {case: submit(stack, handler, {"case": case}) for case in CASES}
        found = {case: result(stack, task_id) for case, task_id in tasks.items()}
        assert found == RESULTS, handler
    assert result(stack, submit(stack, "forking.asyncio", {})) == -15
    assert result(stack, submit(stack, "tests.pid", {})) == before, "the worker went on"


def result(stack: Stack, task_id: str) -> Any:
    """The result, or what there is instead."""
    task = get(stack, task_id, wait=60)
    if task["status"] != "succeeded":
        return task["status"], [one["type"] for one in task["errors"]]
    return task["result"]
