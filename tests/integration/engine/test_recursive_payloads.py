"""A payload that takes for ever to validate fails its own task, and nothing else."""

import json
import time
from typing import Any

import pytest

from tests.support.calls import Calls
from tests.support.stack import Kind, NewStack

MODULE = "tests.integration.engine.recursive"
SETTINGS = {
    "TASKQ_HANDLERS": f"tests.support.handlers,{MODULE}",
    "TASKQ_BLOCK_SECONDS": "3",
    "TASKQ_LEASE_SECONDS": "2",
    "TASKQ_JANITOR_SECONDS": "0.3",
}


def deep(levels: int, leaf: int = 1) -> dict[str, Any]:
    expr: dict[str, Any] = {"n": leaf}
    for _ in range(levels):
        expr = {"left": expr, "right": {"n": 1}, "op": "mul"}
    return {"e": expr}


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_it_fails_as_invalid_and_its_worker_goes_on(new_stack: NewStack, kind: Kind) -> None:
    stack = new_stack(kind, settings=SETTINGS)
    assert len(json.dumps(deep(24), separators=(",", ":"))) < 1_000
    with Calls(stack.api_url) as calls:
        before = calls.until(calls.submit("tests.pid"), "succeeded")
        hostile = [calls.submit("recursive.expr", deep(24), timeout_seconds=t) for t in (1, 60, 60)]
        began, waits = time.monotonic(), []
        while time.monotonic() - began < 4:
            asked = time.monotonic()
            calls.until(calls.submit("tests.pid"), "succeeded")
            waits.append(time.monotonic() - asked)
        good = calls.until(calls.submit("recursive.expr", deep(3)), "succeeded")
        ended = [calls.until(task_id, "failed", 60) for task_id in hostile]
        after = calls.until(calls.submit("tests.pid"), "succeeded")
    assert [one["errors"][-1]["type"] for one in ended] == ["InvalidPayload"] * 3
    assert [one["attempt"] for one in ended] == [1, 1, 1]
    assert "1 seconds" in ended[0]["errors"][-1]["message"]
    assert "3 seconds" in ended[1]["errors"][-1]["message"]
    assert good["result"] == "Mul 1 1"
    assert before["result"] == after["result"], "the same process"
    assert sorted(waits)[len(waits) // 2] < 2


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_ordinary_payloads_of_such_handlers_run_in_the_worker(
    new_stack: NewStack, kind: Kind
) -> None:
    stack = new_stack(kind, settings=SETTINGS)
    cases: dict[str, tuple[dict[str, Any], Any]] = {
        "expr": ({**deep(2), "more": 5}, "Mul 5 1"),
        "positive": (deep(1), "Mul"),
        "wrapped": ({"a": [{"x": {"inner": 1}}], "z": 1}, "Up True ['z']"),
        "unsendable": ({"e": {"n": 1}}, "Unsendable"),
        "tagged": ({"s": {"kind": "group", "first": {"kind": "circle"}}}, 1),
    }
    with Calls(stack.api_url) as calls:
        for name, (payload, expected) in cases.items():
            for _ in range(3):
                ended = calls.until(calls.submit(f"recursive.{name}", payload), "succeeded")
                assert ended["result"] == expected
        bad = calls.until(calls.submit("recursive.positive", deep(0, -1)), "failed")
        doomed = calls.submit("recursive.expr", deep(28), timeout_seconds=60)
        time.sleep(0.5)
        calls.cancel(doomed)
        calls.until(doomed, "cancelled")
        slow = calls.submit("recursive.expr", deep(28), timeout_seconds=60)
        time.sleep(0.5)
        assert stack.stop_api() == 0 if kind == "sqlite" else stack.stop_worker() == 0
    assert bad["errors"][-1]["type"] == "InvalidPayload"
    assert "it is negative" in bad["errors"][-1]["message"]
    assert slow
