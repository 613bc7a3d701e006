"""What holds for every route: methods, media types, sizes, request ids, and problems."""

import logging
import re
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.support.callers import CALLER
from tests.support.log_lines import logged

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
ECHO = b'{"handler": "taskq.echo", "payload": {"value": 1}}'
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def check_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    request_id = response.headers["x-request-id"]
    assert body == {
        "type": f"urn:taskq:problem:{code}",
        "title": body["title"],
        "status": status,
        "detail": body["detail"],
        "instance": f"urn:taskq:request:{request_id}",
        "code": code,
        "request_id": request_id,
        "errors": body["errors"],
    }
    assert body["title"]
    assert body["detail"]
    assert all(set(error) == {"pointer", "code", "detail"} for error in body["errors"])


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/tasks", "GET, HEAD, POST"),
        ("/tasks/batch", "POST"),
        ("/tasks/wait", "POST"),
        (f"/tasks/{NOBODY}", "DELETE, GET, HEAD, PATCH"),
        (f"/tasks/{NOBODY}/cancel", "POST"),
        (f"/tasks/{NOBODY}/retry", "POST"),
        (f"/tasks/{NOBODY}/attempts", "GET, HEAD"),
        ("/tags", "GET, HEAD"),
        ("/handlers", "GET, HEAD"),
        ("/stats", "GET, HEAD"),
        ("/livez", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        (f"/tasks/{NOBODY}/events", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
        ("/redoc", "GET, HEAD"),
        ("/docs/assets/swagger-ui.css", "GET, HEAD"),
    ],
)
async def test_other_methods_are_told_which_are_allowed(
    api: httpx.AsyncClient, path: str, allowed: str
) -> None:
    methods = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "POST", "PATCH", "DELETE", "BREW"}
    for method in methods - set(allowed.split(", ")):
        response = await api.request(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, allowed)
        assert response.headers["content-type"] == "application/problem+json"
        if method != "HEAD":
            check_problem(response, 405, "method-not-allowed")


@pytest.mark.parametrize("path", ["/x", "/task", "/tasks/", f"/tasks/{NOBODY}/", "/tasks/x/cancel"])
async def test_a_path_that_nobody_serves(api: httpx.AsyncClient, path: str) -> None:
    check_problem(await api.get(path), 404, "not-found")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    "content_type",
    [
        JSON,
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "application/json; profile=x",
    ],
)
async def test_json_in_utf_8_is_taken(api: httpx.AsyncClient, content_type: str) -> None:
    response = await api.post("/tasks", content=ECHO, headers={"Content-Type": content_type})
    assert response.status_code == 201


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "")],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "multipart/form-data; boundary=x")],
        [("Content-Type", "application/problem+json")],
        [("Content-Type", MERGE_PATCH)],
        [("Content-Type", "application/json, text/plain")],
        [("Content-Type", JSON), ("Content-Type", JSON)],
        [("Content-Type", "application/json; charset=utf-16")],
        [("Content-Type", "application/json; charset=latin-1")],
        [("Content-Type", "application/json; charset*0*=utf-8; charset*=x")],
        [("Content-Type", "application/json; charset")],
        [("Content-Type", JSON), ("Content-Encoding", "gzip")],
        [("Content-Type", JSON), ("Content-Encoding", "identity, br")],
        [("Content-Type", JSON), ("Content-Encoding", "")],
    ],
)
async def test_other_media_types_are_refused(
    api: httpx.AsyncClient, headers: list[tuple[str, str]]
) -> None:
    response = await api.post("/tasks", content=ECHO, headers=headers)
    check_problem(response, 415, "unsupported-media-type")
    assert response.headers["accept"] == JSON
    assert (await api.get("/tasks")).json()["items"] == []


async def test_a_patch_is_told_what_is_accepted(api: httpx.AsyncClient, submit: Submit) -> None:
    response = await api.patch(
        f"/tasks/{(await submit())['id']}",
        content=b"[]",
        headers={"Content-Type": "application/json-patch+json"},
    )
    check_problem(response, 415, "unsupported-media-type")
    assert response.headers["accept-patch"] == f"{MERGE_PATCH}, {JSON}"


async def test_a_body_announced_too_large_is_not_read(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    asked = False

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        asked = True
        yield b" "

    size = runtime.settings.max_body_bytes + 1
    headers = {"Content-Type": JSON, "Content-Length": str(size)}
    response = await api.post("/tasks", content=endless(), headers=headers)
    check_problem(response, 413, "body-too-large")
    assert not asked


async def test_a_body_without_length_is_counted(api: httpx.AsyncClient, runtime: Runtime) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1_000
            yield b" " * 1_000

    response = await api.post("/tasks", content=endless(), headers={"Content-Type": JSON})
    check_problem(response, 413, "body-too-large")
    assert sent <= runtime.settings.max_body_bytes + 2_000


async def test_a_body_of_exactly_the_limit(api: httpx.AsyncClient, runtime: Runtime) -> None:
    body = b"{}".ljust(runtime.settings.max_body_bytes)
    response = await api.post("/tasks", content=body, headers={"Content-Type": JSON})
    check_problem(response, 422, "invalid-request")
    response = await api.post("/tasks", content=body + b" ", headers={"Content-Type": JSON})
    check_problem(response, 413, "body-too-large")


@pytest.mark.parametrize("request_id", ["a", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "a.b_c:d-e", "x" * 128])
async def test_the_callers_request_id_comes_back(api: httpx.AsyncClient, request_id: str) -> None:
    for path in ("/livez", "/nowhere", "/tasks?x=1"):
        response = await api.get(path, headers={"X-Request-Id": request_id})
        assert response.headers.get_list("x-request-id") == [request_id]


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, '"', "<script>", "ü", "a\tb"])
async def test_an_unsafe_request_id_is_replaced(api: httpx.AsyncClient, request_id: str) -> None:
    seen = set()
    for _ in range(2):
        headers = [(b"X-Request-Id", request_id.encode("latin-1"))]
        response = await api.get("/livez", headers=headers)
        seen.add(response.headers["x-request-id"])
    assert len(seen) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in seen)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("traceparent", "stored"),
    [
        (TRACE, TRACE),
        (f" {TRACE}\t", TRACE),
        (TRACE.replace("00-", "cc-", 1), TRACE),
        (TRACE.replace("00-", "cc-", 1) + "-what-comes", TRACE),
        (TRACE.replace("00-", "cc-", 1) + "0", None),
        (f"{TRACE[:-2]}ff", f"{TRACE[:-2]}03"),
        (f"{TRACE[:-2]}00", f"{TRACE[:-2]}00"),
        (f"{TRACE},{TRACE}", None),
        ("nonsense" * 1000, None),
        ("\xff", None),
        (TRACE.replace("00-", "ff-", 1), None),
        (TRACE.upper(), None),
        (TRACE[:-3], None),
        (f"{TRACE}-00", None),
        (TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), None),
        (TRACE.replace("00f067aa0ba902b7", "0" * 16), None),
        ("", None),
    ],
)
async def test_the_trace_is_kept_with_the_task(
    api: httpx.AsyncClient, runtime: Runtime, traceparent: str, stored: str | None
) -> None:
    given = traceparent.encode("latin-1")
    headers = [(b"Content-Type", JSON.encode()), (b"traceparent", given)]
    # What prefers something goes past the fast path.
    for more in ([], [(b"Prefer", b"wait=0")]):
        response = await api.post("/tasks", content=ECHO, headers=[*headers, *more])
        assert (response.status_code, response.json()["traceparent"]) == (201, stored)
        task = (await runtime.read.get(CALLER, UUID(response.json()["id"]))).task
        assert task.traceparent == stored
    items = b'{"items": [%b, %b]}' % (ECHO, ECHO)
    response = await api.post("/tasks/batch", content=items, headers=headers)
    assert [each["traceparent"] for each in response.json()["items"]] == [stored] * 2


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("path", ["/tasks", "/tasks/batch"])
async def test_two_traces_are_none(api: httpx.AsyncClient, path: str) -> None:
    body = ECHO if path == "/tasks" else b'{"items": [%b]}' % ECHO
    headers = [("Content-Type", JSON), ("traceparent", TRACE), ("traceparent", TRACE)]
    response = await api.post(path, content=body, headers=headers)
    (task,) = response.json().get("items", [response.json()])
    assert (response.status_code, task["traceparent"]) == (201, None)


async def test_a_bug_is_logged_but_not_shown(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(runtime=runtime)

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("the secret is 1234")

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        response = await client.get("/bug", headers={"X-Request-Id": "find-me"})
    check_problem(response, 500, "internal-error")
    assert "secret" not in response.text
    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert "find-me" in record.getMessage()
    assert record.exc_info is not None
    assert "secret" in str(record.exc_info[1])


async def test_of_what_goes_well_only_ends_of_tasks_are_logged(
    api: httpx.AsyncClient, submit: Submit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="taskq")
    caplog.clear()
    task = (await submit())["id"]
    await api.get(f"/tasks/{task}")
    await api.post(f"/tasks/{task}/cancel")
    assert logged(caplog, logging.INFO) == [f"taskq.echo {task} was cancelled while it waited"]


async def test_no_more_than_a_hundred_errors_are_listed(api: httpx.AsyncClient) -> None:
    body = {f"unknown{n}": n for n in range(1_000)}
    response = await api.post("/tasks", json=body)
    check_problem(response, 422, "invalid-request")
    assert len(response.json()["errors"]) == 100


async def test_an_app_under_a_prefix_names_its_addresses(runtime: Runtime, submit: Submit) -> None:
    for _ in range(2):
        await submit()
    transport = httpx.ASGITransport(create_app(runtime=runtime), root_path="/queue")
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq/queue") as client:
        headers = {"Content-Type": JSON}
        created = await client.post("/tasks", content=ECHO, headers=headers)
        assert created.headers["location"] == f"/queue/tasks/{created.json()['id']}"
        page = await client.get("/tasks?limit=1")
        assert page.links["next"]["url"].startswith("/queue/tasks?limit=1&cursor=")
        assert '"/queue/openapi.json"' in (await client.get("/redoc")).text
