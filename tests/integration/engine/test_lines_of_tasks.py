"""What a worker's log tells of tasks: a line for each that ends, and what each line is about."""

import json
from typing import Any

import httpx
import pytest

from tests.integration.engine.calls import get, submit
from tests.support.stack import Kind, NewStack, Stack
from tests.support.waiting import wait_until

SETTINGS = {
    "TASKQ_HANDLERS": "tests.support.handlers,tests.support.speaking",
    "TASKQ_LOG_LEVEL": "DEBUG",
    "TASKQ_LOG_ENDS": "WARNING",
    "TASKQ_PROCESSES": "1",
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "PLANTED-SECRET"


def lines(stack: Stack) -> list[dict[str, Any]]:
    """The lines of the worker's log."""
    output = stack.workers[0].output(10_000_000)
    assert "\x1b" not in output
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def about(stack: Stack, task_id: str, word: str) -> dict[str, Any]:
    """The only line about a task that has a word; waited for, because it follows the commit."""

    def found() -> list[dict[str, Any]]:
        of_task = [line for line in lines(stack) if line.get("task_id") == task_id]
        return [line for line in of_task if word in line["event"]]

    wait_until(lambda: bool(found()), 60, word, details=lambda: str(stack.logs()))
    (line,) = found()
    return line


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_tasks_have_lines_and_lines_say_what_they_are_about(
    new_stack: NewStack, kind: Kind
) -> None:
    stack = new_stack(kind, settings=SETTINGS)
    for handler, where in {
        "speaking.on_loop": "on the loop",
        "speaking.in_thread": "in a thread",
        "speaking.in_process": "in a process",
    }.items():
        task_id = submit(stack, handler, {"word": "hello"}, title=SECRET)
        assert get(stack, task_id, wait=60)["status"] == "succeeded"
        said = about(stack, task_id, f"said {where}: hello")
        ended = about(stack, task_id, f"{handler} {task_id} succeeded in ")
        started = about(stack, task_id, f"{handler} {task_id} starts attempt 1")
        assert (ended["level"], started["level"]) == ("warning", "debug")
        for line in (said, started, ended):
            assert (line["attempt"], line["handler"]) == (1, handler)
            assert line["namespace"] == "default"
    parent = submit(stack, "speaking.parent", {})
    child = get(stack, parent, wait=60)["result"]
    get(stack, child, wait=60)
    assert "child" in about(stack, child, "said on the loop")["event"]
    failed = submit(stack, "speaking.failing", {}, backoff_base_seconds=0.001)
    assert get(stack, failed, wait=60)["status"] == "failed"
    retried = about(stack, failed, "and is tried again")
    assert (retried["level"], retried["attempt"]) == ("info", 1)
    assert "ValueError: not yet\\nFAKE line \\x1b[2J" in retried["event"]
    last = about(stack, failed, "failed for good at attempt 2")
    assert (last["level"], last["event"].endswith("Fatal: never")) == ("warning", True)
    assert about(stack, failed, "a hook speaks of attempt 2")["attempt"] == 2
    shared = [line for line in lines(stack) if "group" in line]
    assert not any("task_id" in line for line in shared)
    assert SECRET not in json.dumps(lines(stack))


def test_a_task_that_is_cancelled_while_it_waits_ends_with_a_line_of_the_request(
    new_stack: NewStack,
) -> None:
    stack = new_stack("sqlite")
    task_id = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=3600)
    headers = {"X-Request-Id": "who-cancels"}
    cancel = f"{stack.api_url}/tasks/{task_id}/cancel"
    for _ in range(2):
        httpx.post(cancel, headers=headers, timeout=60).raise_for_status()
    line = about(stack, task_id, "taskq.echo")
    assert line["event"] == f"taskq.echo {task_id} was cancelled while it waited"
    assert (line["level"], line["request_id"]) == ("info", "who-cancels")
