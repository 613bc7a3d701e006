"""The express lane of `POST /tasks` answers as FastAPI's own route does."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.api.test_submit import ECHO

pytestmark = pytest.mark.usefixtures("worker")

# RFC 7240: a preference that is not understood is ignored. The express lane hands it on.
ORDINARY_LANE = {"Prefer": "the-ordinary-lane"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EACH_ITS_OWN = {"id", "created_at", "updated_at", "instance", "request_id"}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (ECHO, {}),
        (ECHO, {"traceparent": TRACE, "X-Request-Id": "mine"}),
        (ECHO, {"traceparent": "nonsense"}),
        ({**ECHO, "tags": ["b", "a"], "priority": "high", "run_at": "2031-05-06T07:08:09Z"}, {}),
        ({**ECHO, "handler": "nobody.has-it"}, {}),
        ({**ECHO, "payload": {}}, {}),
        ({**ECHO, "payload": {"value": "x" * 2_000}}, {}),
        ({**ECHO, "unknown": 1}, {}),
        ([], {}),
        (ECHO, {"Idempotency-Key": ""}),
        (ECHO, {"Idempotency-Key": "x" * 256}),
        (ECHO, {"Content-Type": "text/plain"}),
    ],
)
async def test_both_lanes_answer_alike(
    api: httpx.AsyncClient, body: Any, headers: Mapping[str, str]
) -> None:
    express = await api.post("/tasks", json=body, headers=headers)
    ordinary = await api.post("/tasks", json=body, headers={**headers, **ORDINARY_LANE})
    assert express.status_code == ordinary.status_code
    assert _comparable(express.json()) == _comparable(ordinary.json())
    assert express.headers.keys() == ordinary.headers.keys()
    assert express.headers["content-type"] == ordinary.headers["content-type"]


async def test_the_lanes_share_idempotency_keys(api: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = await api.post("/tasks", json=ECHO, headers=key)
    again = await api.post("/tasks", json=ECHO, headers={**key, **ORDINARY_LANE})
    other = {**ECHO, "title": "other"}
    mismatch = await api.post("/tasks", json=other, headers=key)
    assert (first.status_code, again.status_code, mismatch.status_code) == (201, 200, 422)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"


async def test_both_lanes_keep_the_trace(api: httpx.AsyncClient, runtime: Runtime) -> None:
    for lane in ({}, ORDINARY_LANE):
        answer = await api.post("/tasks", json=ECHO, headers={"traceparent": TRACE, **lane})
        stored = await runtime.tasks.get(UUID(answer.json()["id"]))
        assert stored.task.traceparent == TRACE


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in EACH_ITS_OWN}
