"""An operator names a namespace with `Taskq-Namespace`; nobody else names another than its own."""

from collections.abc import AsyncIterator

import httpx
import pytest

from taskq_server.api.namespace_header import NAME
from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.namespaces import make_namespaces

TASK = {"handler": "taskq.echo", "payload": {"value": 1}}
SCOPES = ("tasks:read", "tasks:write", "tasks:run:*", "admin")


@pytest.fixture
async def closed(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[httpx.AsyncClient]:
    """An API that asks for keys."""
    await make_namespaces(runtime.database, "reports")
    async with calling_closed(runtime) as client:
        yield client


def assert_refused(answer: httpx.Response, status: int, code: str, text: str) -> None:
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/header/taskq-namespace"
    assert error["code"] == code
    assert text in error["detail"]


async def test_an_operator_works_in_the_namespace_that_it_names(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    operator = shown(await make_key(runtime, *SCOPES, namespace="*"))
    ours, theirs = {**operator, NAME: "default"}, {**operator, NAME: "reports"}
    made = await closed.post("/tasks", json=TASK, headers=ours)
    assert made.status_code == 201, made.text
    for headers, expected in ((ours, 1), (theirs, 0)):
        assert len((await closed.get("/tasks", headers=headers)).json()["items"]) == expected
    there = f"/tasks/{made.json()['id']}"
    assert (await closed.get(there, headers=theirs)).status_code == 404
    assert (await closed.post(f"{there}/cancel", headers=theirs)).status_code == 404
    assert (await closed.get(there, headers=ours)).status_code == 200


@pytest.mark.parametrize("path", ["/tasks", "/stats", "/tags", "/handlers"])
async def test_an_operator_has_to_name_one(
    closed: httpx.AsyncClient, runtime: Runtime, path: str
) -> None:
    operator = shown(await make_key(runtime, *SCOPES, namespace="*"))
    assert_refused(await closed.get(path, headers=operator), 422, "missing", NAME)
    unknown = await closed.get(path, headers={**operator, NAME: "reprots"})
    assert_refused(unknown, 422, "unknown-namespace", "did you mean reports?")
    everything = await closed.get(path, headers={**operator, NAME: "*"})
    assert_refused(everything, 422, "unknown-namespace", "there is no namespace *")
    several = [*operator.items(), (NAME, "default"), (NAME, "reports")]
    assert_refused(await closed.get(path, headers=several), 422, "invalid-value", "one")
    odd = [*operator.items(), (NAME, b"\xff")]
    assert_refused(await closed.get(path, headers=odd), 422, "invalid-value", "UTF-8")


@pytest.mark.parametrize("name", ["reports", "*", "no-such"])
async def test_a_key_of_a_namespace_names_no_other(
    closed: httpx.AsyncClient, runtime: Runtime, name: str
) -> None:
    """Whether there is one of that name, it does not learn."""
    key = shown(await make_key(runtime, *SCOPES))
    for answer in (
        await closed.get("/tasks", headers={**key, NAME: name}),
        await closed.post("/tasks", json=TASK, headers={**key, NAME: name}),
    ):
        assert_refused(answer, 403, "other-namespace", "belongs to one namespace")
    own = await closed.post("/tasks", json=TASK, headers={**key, NAME: "default"})
    assert own.status_code == 201


async def test_without_keys_there_is_one_namespace(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await make_namespaces(runtime.database, "reports")
    assert (await api.get("/tasks", headers={NAME: "default"})).status_code == 200
    refused = await api.get("/tasks", headers={NAME: "reports"})
    assert_refused(refused, 403, "other-namespace", "belongs to one namespace")


async def test_the_document_has_it_wherever_a_namespace_is_asked_for(
    api: httpx.AsyncClient,
) -> None:
    document = (await api.get("/openapi.json")).json()
    named = {
        f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if NAME in {each["name"] for each in operation.get("parameters", ())}
    }
    assert {"post /tasks", "get /tasks/{task_id}/events", "get /stats"} <= named
    assert not named & {"get /livez", "get /readyz"}
