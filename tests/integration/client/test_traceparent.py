"""The trace context of a task: the client, the fake and the server read it alike."""

import httpx
import pytest

from taskq_client import TaskqClient, _traceparent
from taskq_client.testing import FakeTaskq
from taskq_server.domain import traces
from taskq_server.testing import handlers
from tests.support import shop

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (TRACE, TRACE),
        (f"\t{TRACE} ", TRACE),
        (TRACE[:-2] + "00", TRACE[:-2] + "00"),
        (TRACE[:-2] + "fe", TRACE[:-2] + "02"),
        ("fe" + TRACE[2:], TRACE),
        (f"01{TRACE[2:]}-x y", TRACE),
        (f"01{TRACE[2:]}-", TRACE),
        (f"01{TRACE[2:]}x", None),
        (f"{TRACE}-", None),
        (f"ff{TRACE[2:]}", None),
        (TRACE.upper(), None),
        (TRACE.replace("-", "_"), None),
        (TRACE[:54], None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01", None),
        (f"{TRACE}\n", None),
        (f"{TRACE}, {TRACE}", None),
        (TRACE.replace("0af", "\u0660af"), None),
        ("", None),
    ],
)
def test_both_read_the_header_as_the_standard_says(value: str, expected: str | None) -> None:
    assert traces.valid_traceparent(value) == expected
    assert _traceparent.valid_traceparent(value) == expected


def test_a_handler_in_the_fake_sees_the_trace_and_its_child_has_it(taskq: FakeTaskq) -> None:
    headers = {"traceparent": TRACE}
    with handlers("tests.support.shop", state={}) as loaded:
        taskq.load(loaded)
        body = {"handler": "shop.traced", "payload": {"children": 1}}
        with httpx.Client(transport=taskq, base_url="http://fake") as http:
            parent = http.post("/tasks", json=body, headers=headers).json()
        assert parent["traceparent"] == TRACE
        client = taskq.client()
        done = client.wait(parent["id"])
        assert done.result["traceparent"] == TRACE
        assert client.get(done.result["child"]).traceparent == TRACE


def test_a_task_without_a_trace_has_none(taskq: FakeTaskq) -> None:
    with handlers(shop, state={}) as loaded:
        taskq.load(loaded)
        client: TaskqClient = taskq.client()
        handle = client.submit("shop.traced")
        assert handle.traceparent is None
        assert handle.wait().result["traceparent"] is None
