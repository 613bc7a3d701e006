"""Both clients over HTTP: the same signatures, the same words, the same requests."""

import inspect
import platform
import re
from collections.abc import Callable
from typing import Any

import pytest
import respx

import taskq_client
from taskq_client import (
    AsyncBulk,
    AsyncTaskHandle,
    AsyncTaskqClient,
    Bulk,
    TaskHandle,
    TaskqClient,
)
from tests.unit.client.either import both
from tests.unit.client.support import URL, a_task, wire_schedule, wire_task, wire_worker

OPERATIONS = [
    name
    for name, member in inspect.getmembers(TaskqClient, inspect.isfunction)
    if not name.startswith("_") and name != "close"
]
OF_BULKS = [name for name, _ in inspect.getmembers(Bulk, inspect.isfunction) if name[0] != "_"]
HANDLED = [name for name, _ in inspect.getmembers(TaskHandle, inspect.isfunction) if name[0] != "_"]


def without_async(annotated: object) -> str:
    blocking = re.sub(
        r"AsyncGenerator\[([^]]+), None]", r"Generator[\1, None, None]", str(annotated)
    )
    return re.sub(r"Async(?=TaskHandle|TaskqClient|Bulk)", "", blocking).replace("_async", "_sync")


@pytest.mark.parametrize("name", [*OPERATIONS, "__init__"])
def test_signatures_and_docstrings_are_equal(name: str) -> None:
    blocking, awaited = getattr(TaskqClient, name), getattr(AsyncTaskqClient, name)
    returned = str(inspect.signature(awaited).return_annotation)
    at_once = name in ("__init__", "with_options") or "AsyncGenerator" in returned
    assert inspect.iscoroutinefunction(awaited) is not at_once
    assert not inspect.iscoroutinefunction(blocking)
    assert str(inspect.signature(blocking)) == without_async(inspect.signature(awaited))
    assert inspect.getdoc(blocking) == inspect.getdoc(awaited)
    assert inspect.getdoc(blocking)


@pytest.mark.parametrize(
    ("handle", "name"), [*((0, each) for each in HANDLED), *((1, each) for each in OF_BULKS)]
)
def test_the_handles_are_equal_too(handle: int, name: str) -> None:
    kinds = ((TaskHandle, AsyncTaskHandle), (Bulk, AsyncBulk))[handle]
    blocking, awaited = (getattr(kind, name) for kind in kinds)
    assert str(inspect.signature(blocking)) == without_async(inspect.signature(awaited))
    assert inspect.getdoc(blocking) == inspect.getdoc(awaited)
    assert inspect.getdoc(blocking)


@pytest.mark.parametrize("client", [TaskqClient, AsyncTaskqClient])
@pytest.mark.parametrize("name", [*OPERATIONS, "__init__"])
def test_no_type_of_the_http_library_is_in_a_signature(client: type, name: str) -> None:
    signature = inspect.signature(getattr(client, name))
    hints = [parameter.annotation for parameter in signature.parameters.values()]

    assert "httpx" not in str([*hints, signature.return_annotation])


def test_what_is_public_exists() -> None:
    assert all(hasattr(taskq_client, name) for name in taskq_client.__all__)
    assert taskq_client.__version__ == "0.1.0"


CALLS: list[tuple[Callable[[Any], Any], str, str, int, Any]] = [
    (lambda c: c.submit("h", {"n": 1}, title="t"), "POST", "/tasks", 201, wire_task()),
    (
        lambda c: c.submit_many([{"handler": "h"}], idempotency_key="k"),
        "POST",
        "/tasks/batch",
        201,
        {"items": [wire_task()]},
    ),
    (lambda c: c.get(a_task()), "GET", "/tasks/0198c0de", 200, wire_task()),
    (
        lambda c: c.list(status="failed", tag=["a", "b"]),
        "GET",
        "/tasks?status=failed&tag=a&tag=b",
        200,
        {"items": [wire_task()], "next_cursor": None},
    ),
    (
        lambda c: c.update("0198c0de", if_match=3, title="t"),
        "PATCH",
        "/tasks/0198c0de",
        200,
        wire_task(),
    ),
    (lambda c: c.delete("0198c0de"), "DELETE", "/tasks/0198c0de", 204, None),
    (lambda c: c.cancel("0198c0de"), "POST", "/tasks/0198c0de/cancel", 202, wire_task()),
    (lambda c: c.retry("0198c0de"), "POST", "/tasks/0198c0de/retry", 200, wire_task()),
    (
        lambda c: c.wait("0198c0de", 60),
        "GET",
        "/tasks/0198c0de?wait=20",
        200,
        wire_task(status="failed"),
    ),
    (
        lambda c: c.as_completed(["0198c0de"]),
        "POST",
        "/tasks/wait",
        200,
        {"items": [wire_task(status="failed")]},
    ),
    (lambda c: c.attempts("0198c0de"), "GET", "/tasks/0198c0de/attempts", 200, {"items": []}),
    (lambda c: c.handlers(), "GET", "/handlers", 200, {"items": [{"name": "h"}]}),
    (lambda c: c.tags(), "GET", "/tags", 200, {"items": [{"name": "a", "count": 1}]}),
    (lambda c: c.stats(), "GET", "/stats", 200, {"tasks": {"queued": 1}, "queues": []}),
    (
        lambda c: c.workers(),
        "GET",
        "/workers?limit=200",
        200,
        {"items": [wire_worker("w")], "next_cursor": None},
    ),
    (lambda c: c.stats_history(5), "GET", "/stats/history?minutes=5", 200, {"queues": {}}),
    (lambda c: c.failures(), "GET", "/failures?since_seconds=3600.0", 200, {"items": []}),
    (lambda c: c.queues.list(), "GET", "/queues", 200, {"items": [{"name": "q"}]}),
    (lambda c: c.queues.pause("a/b"), "POST", "/queues/a%2Fb/pause", 200, {"name": "a/b"}),
    (lambda c: c.queues.pause("q", note="n"), "POST", "/queues/q/pause", 200, {"name": "q"}),
    (lambda c: c.queues.resume("q"), "POST", "/queues/q/resume", 200, {"name": "q"}),
    (
        lambda c: c.schedules.set("n.1", "h", {"n": 1}, cron="@daily", tags=["a"]),
        "PUT",
        "/schedules/n.1",
        201,
        wire_schedule(),
    ),
    (lambda c: c.schedules.update("n", note=None), "PATCH", "/schedules/n", 200, wire_schedule()),
    (
        lambda c: c.schedules.list(handler="h", paused=False),
        "GET",
        "/schedules?limit=200&handler=h&paused=false",
        200,
        {"items": [wire_schedule()], "next_cursor": None},
    ),
    (
        lambda c: c.schedules.get("code:a/b"),
        "GET",
        "/schedules/code:a%2Fb",
        200,
        wire_schedule(declared=True),
    ),
    (lambda c: c.schedules.pause("n"), "POST", "/schedules/n/pause", 200, wire_schedule()),
    (
        lambda c: c.schedules.pause("n", note="x"),
        "POST",
        "/schedules/n/pause",
        200,
        wire_schedule(),
    ),
    (lambda c: c.schedules.resume("n"), "POST", "/schedules/n/resume", 200, wire_schedule()),
    (lambda c: c.schedules.fire("n"), "POST", "/schedules/n/fire", 201, wire_task()),
    (lambda c: c.schedules.delete("n"), "DELETE", "/schedules/n", 204, None),
    (
        lambda c: c.schedules.preview(cron="0 6 * * *", timezone="Europe/Berlin", count=3),
        "GET",
        "/schedules/preview?cron=0+6+%2A+%2A+%2A&timezone=Europe%2FBerlin&count=3",
        200,
        {"times": ["2026-10-01T04:00:00Z"], "text": "At 06:00"},
    ),
    (lambda c: c.health(), "GET", "/readyz", 503, {"detail": "starting"}),
]


@pytest.mark.parametrize(("call", "method", "path", "status", "body"), CALLS)
def test_every_operation_sends_and_returns_the_same_from_both(
    call: Callable[[Any], Any], method: str, path: str, status: int, body: Any
) -> None:
    results, requests = [], []
    for perform in both(call):
        with respx.mock() as server:
            content = {} if body is None else {"json": body}
            route = server.request(method, f"{URL}{path}").respond(status, **content)
            results.append(perform())
            requests.append(route.calls.last.request)

    first, second = requests
    assert results[0] == results[1]
    assert str(first.url) == f"{URL}{path}"
    assert first.content == second.content
    changing = {"idempotency-key"}
    assert {k: v for k, v in first.headers.items() if k not in changing} == {
        k: v for k, v in second.headers.items() if k not in changing
    }
    assert first.headers["accept"] == "application/json"
    assert first.headers["user-agent"] == f"taskq-client/0.1.0 python/{platform.python_version()}"


def test_run_sends_and_returns_the_same_from_both() -> None:
    for perform in both(lambda c: c.run("h", {"n": 1}, timeout=5, idempotency_key="k", queue="q")):
        with respx.mock(base_url=URL) as server:
            submit = server.post("/tasks").respond(201, json=wire_task())
            done = wire_task(status="succeeded", result=[7])
            wait = server.get("/tasks/0198c0de").respond(200, json=done)

            assert perform() == [7]
            request = submit.calls.last.request
            assert request.content == b'{"queue":"q","handler":"h","payload":{"n":1}}'
            assert request.headers["idempotency-key"] == "k"
            assert request.headers["content-type"] == "application/json"
            assert 4 < float(wait.calls.last.request.url.params["wait"]) <= 5
            assert wait.calls.last.request.extensions["timeout"]["read"] > 5


def test_keys_are_made_for_each_submit() -> None:
    with respx.mock(base_url=URL) as server, TaskqClient() as client:
        route = server.post("/tasks").respond(201, json=wire_task())
        client.submit("h")
        client.submit("h")

    keys = [call.request.headers["idempotency-key"] for call in route.calls]
    assert len(set(keys)) == 2
    assert all(len(key) == 32 for key in keys)
