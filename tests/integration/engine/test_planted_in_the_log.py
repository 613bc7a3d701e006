"""Nothing that callers send gets into a log at DEBUG, nor may anything steer who reads it."""

import re

import httpx
import pytest

from tests.integration.engine.calls import get, submit
from tests.support.stack import Kind, NewStack

SECRET = "PLANTED-SECRET"
EVIL = "\x1b]0;pwned\x07\r\nFAKE \x9b31m\x85\u202e\u2028"
STEERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def call(api: httpx.Client) -> None:
    """Send what should not be repeated, wherever a request has room for it."""
    task = {"handler": "taskq.echo", "payload": {"value": SECRET}, "title": SECRET}
    headers = {"Idempotency-Key": SECRET, "traceparent": TRACEPARENT}
    assert api.post("/tasks", json=task, headers=headers).status_code == 201
    assert api.post("/tasks", json=task | {"title": EVIL}, headers=headers).status_code == 422
    assert api.post("/tasks", json=task | {"tags": [SECRET] * 40}).status_code == 422
    assert api.post("/tasks", json=task | {"payload": {SECRET: SECRET}}).status_code == 422
    assert api.post("/tasks", content=f'{{"{SECRET}": '.encode()).status_code in (400, 415)
    assert api.post("/tasks/batch", json={"items": [task, {SECRET: EVIL}]}).status_code == 422
    assert api.get("/tasks", params={"q": SECRET}).status_code == 200
    assert api.get("/tasks", params={SECRET: EVIL}).status_code == 422
    assert api.get("/tags", headers={"Authorization": f"Bearer {SECRET}"}).status_code == 200
    for evil in (EVIL, "\u202e", "\x7f"):
        assert api.get(f"/{httpx.QueryParams({'x': evil})}").status_code == 404
        unknown = api.post("/tasks", json=task | {"handler": f"x{evil}"})
        assert unknown.status_code == 422
    for sent in (b"a\x1b[2J", b"\xe2\x80\xae", b"x" * 200):
        found = api.get("/nowhere", headers=[(b"x-request-id", sent), (b"traceparent", sent)])
        assert found.headers["x-request-id"].isalnum()


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_log_at_debug_quotes_nobody(new_stack: NewStack, kind: Kind, form: str) -> None:
    settings = {"TASKQ_LOG_LEVEL": "DEBUG", "TASKQ_LOG_FORMAT": form, "TASKQ_ACCESS_LOG": "true"}
    stack = new_stack(kind, settings={"TASKQ_MAX_RETRIES": "0", **settings})
    with httpx.Client(base_url=stack.api_url, timeout=180, trust_env=False) as api:
        call(api)
    task_id = submit(stack, "taskq.echo", {"value": SECRET}, description=SECRET)
    assert get(stack, task_id, wait=60)["result"] == SECRET
    written = "".join(process.output(10_000_000) for process in {*stack.apis, *stack.workers})
    assert f"taskq.echo {task_id} succeeded" in written
    assert ("trace_id" in written, TRACEPARENT.split("-")[1] in written) == (True, True)
    assert "GET /tasks 200 in" in written
    assert "?" not in "".join(re.findall(r"GET (\S+)", written))
    assert SECRET not in written
    assert [line for line in written.splitlines() if STEERS.search(line)] == []
    assert [line for line in written.splitlines() if line.startswith("FAKE")] == []
