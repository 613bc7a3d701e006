"""The document says what the API does: names, statuses, codes, examples, and the wire form."""

import json
from typing import Any

import httpx
import jsonschema_rs
import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from taskq_server.api.problems import KINDS
from taskq_server.main import create_app
from taskq_server.schemas.task import AttemptList, TaskItem, TaskList, TaskPage, TaskRead
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker

OPERATIONS = {
    "submit": ("post", "/tasks"),
    "submit_many": ("post", "/tasks/batch"),
    "wait": ("post", "/tasks/wait"),
    "list": ("get", "/tasks"),
    "get": ("get", "/tasks/{task_id}"),
    "update": ("patch", "/tasks/{task_id}"),
    "delete": ("delete", "/tasks/{task_id}"),
    "cancel": ("post", "/tasks/{task_id}/cancel"),
    "retry": ("post", "/tasks/{task_id}/retry"),
    "attempts": ("get", "/tasks/{task_id}/attempts"),
    "events": ("get", "/tasks/{task_id}/events"),
    "bulk": ("post", "/tasks/bulk"),
    "bulk_operations": ("get", "/bulk"),
    "get_bulk": ("get", "/bulk/{operation_id}"),
    "stop_bulk": ("post", "/bulk/{operation_id}/stop"),
    "tags": ("get", "/tags"),
    "handlers": ("get", "/handlers"),
    "stats": ("get", "/stats"),
    "workers": ("get", "/workers"),
    "stats_history": ("get", "/stats/history"),
    "stats_events": ("get", "/stats/events"),
    "failures": ("get", "/failures"),
    "queues": ("get", "/queues"),
    "pause_queue": ("post", "/queues/{name}/pause"),
    "resume_queue": ("post", "/queues/{name}/resume"),
    "list_schedules": ("get", "/schedules"),
    "preview_schedule": ("get", "/schedules/preview"),
    "set_schedule": ("put", "/schedules/{name}"),
    "get_schedule": ("get", "/schedules/{name}"),
    "update_schedule": ("patch", "/schedules/{name}"),
    "delete_schedule": ("delete", "/schedules/{name}"),
    "pause_schedule": ("post", "/schedules/{name}/pause"),
    "resume_schedule": ("post", "/schedules/{name}/resume"),
    "fire_schedule": ("post", "/schedules/{name}/fire"),
    "create_key": ("post", "/keys"),
    "list_keys": ("get", "/keys"),
    "whoami": ("get", "/keys/self"),
    "get_key": ("get", "/keys/{key_id}"),
    "rotate_key": ("post", "/keys/{key_id}/rotate"),
    "revoke_key": ("post", "/keys/{key_id}/revoke"),
    "livez": ("get", "/livez"),
    "readyz": ("get", "/readyz"),
    "metrics": ("get", "/metrics"),
}
STATUSES = {
    "submit": "200 201 400 401 403 409 413 415 421 422 500 503",
    "submit_many": "200 201 400 401 403 409 413 415 421 422 500 503",
    "wait": "200 400 401 403 404 413 415 421 422 500 503",
    "list": "200 401 403 421 422 500 503",
    "get": "200 304 400 401 403 404 421 422 500 503",
    "update": "200 400 401 403 404 409 412 413 415 421 422 500 503",
    "delete": "204 401 403 404 409 421 422 500 503",
    "cancel": "200 202 401 403 404 409 421 422 500 503",
    "retry": "200 401 403 404 409 421 422 500 503",
    "attempts": "200 401 403 404 421 422 500 503",
    "events": "200 204 401 403 404 421 422 500 503",
    "bulk": "200 202 400 401 403 409 413 415 421 422 500 503",
    "bulk_operations": "200 401 403 421 422 500 503",
    "get_bulk": "200 401 403 404 421 422 500 503",
    "stop_bulk": "200 401 403 404 421 422 500 503",
    "tags": "200 401 403 421 422 500 503",
    "handlers": "200 401 403 421 422 500 503",
    "stats": "200 401 403 421 422 500 503",
    "workers": "200 401 403 421 422 500 503",
    "stats_history": "200 401 403 421 422 500 503",
    "stats_events": "200 401 403 421 422 500 503",
    "failures": "200 401 403 421 422 500 503",
    "queues": "200 401 403 421 422 500 503",
    "pause_queue": "200 400 401 403 413 415 421 422 500 503",
    "resume_queue": "200 401 403 421 422 500 503",
    "list_schedules": "200 401 403 421 422 500 503",
    "preview_schedule": "200 401 403 421 422 500 503",
    "set_schedule": "200 201 400 401 403 404 409 412 413 415 421 422 500 503",
    "get_schedule": "200 304 400 401 403 404 421 422 500 503",
    "update_schedule": "200 400 401 403 404 409 412 413 415 421 422 500 503",
    "delete_schedule": "204 401 403 404 409 421 422 500 503",
    "pause_schedule": "200 400 401 403 404 413 415 421 422 500 503",
    "resume_schedule": "200 401 403 404 421 422 500 503",
    "fire_schedule": "201 401 403 404 409 421 422 500 503",
    "create_key": "201 400 401 403 413 415 421 422 500 503",
    "list_keys": "200 401 403 421 422 500 503",
    "whoami": "200 401 403 404 421 422 500 503",
    "get_key": "200 401 403 404 421 422 500 503",
    "rotate_key": "201 400 401 403 404 409 413 415 421 422 500 503",
    "revoke_key": "200 401 403 404 421 422 500 503",
    "livez": "200 422 500",
    "readyz": "200 422 500 503",
    "metrics": "200 401 403 421 422 500 503",
}
PROBES = ("livez", "readyz")
GUARDED = ("401", "403", "429")
BEFORE_ANY_ROUTE = (
    *("malformed-request", "request-timeout", "head-too-large", "too-many-connections"),
    "not-started",
)
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app().openapi()


def operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    method, path = OPERATIONS[name]
    found: dict[str, Any] = document["paths"][path][method]
    return found


def contents(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every media type of every body, with where it is."""
    found = []
    for name in OPERATIONS:
        described = operation(document, name)
        bodies = {"request": described.get("requestBody", {}), **described["responses"]}
        for where, body in bodies.items():
            for media_type, content in body.get("content", {}).items():
                found.append((f"{name} {where} {media_type}", content))
    return found


class Unheard(BaseModel):
    """A body that no example is of."""

    loud: bool


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Unheard, "GET /new: add an example of Unheard to api/openapi/examples.py"),
        (Unheard | TaskRead, "GET /new: add an example of Unheard to api/openapi/examples.py"),
        (list[Unheard], "GET /new: give each of its bodies a model of its own as its type"),
        (dict[str, int], "GET /new: give each of its bodies a model of its own as its type"),
    ],
)
def test_a_route_without_an_example_is_named(model: Any, sentence: str) -> None:
    app = create_app()

    @app.get("/new", response_model=model)
    async def new() -> None:
        """A route that somebody adds."""

    with pytest.raises(LookupError) as refused:
        app.openapi()
    assert refused.value.args == (sentence,)


def test_a_request_without_an_example_is_named() -> None:
    app = create_app()

    @app.post("/new", response_model=TaskRead)
    async def new(body: Unheard) -> None:
        """A route that somebody adds."""

    with pytest.raises(LookupError, match="POST /new: add an example of Unheard to"):
        app.openapi()


def test_operations_are_the_clients_verbs(document: dict[str, Any]) -> None:
    found = {
        described["operationId"]: (method, path)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    }
    assert found == OPERATIONS


async def test_what_is_served_is_valid_openapi_of_its_version(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    document = (await api.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1.")
    validate(document)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_status_is_documented(document: dict[str, Any], name: str) -> None:
    responses = operation(document, name)["responses"]
    assert set(responses) == {*STATUSES[name].split(), *(() if name in PROBES else GUARDED)}
    for status, response in responses.items():
        assert "X-Request-Id" in response["headers"]
        if int(status) >= 400 and (name, status) != ("readyz", "503"):
            assert set(response["content"]) == {PROBLEM}


def test_titles_are_the_words_of_runbooks() -> None:
    """Titles stand in alerts and on other people's screens: short, and none of them twice."""
    titles = [kind.title for kind in KINDS.values()]
    assert len(set(titles)) == len(titles)
    assert all(1 <= len(title.split()) <= 5 and title[0].isupper() for title in titles)
    said = {kind.code: kind.title for kind in KINDS.values()}
    assert said["not-found"] == "Not found"
    assert said["invalid-request"] == "Validation failed"
    assert said["unsupported-media-type"] == "Unsupported media type"
    assert said["internal-error"] == "Internal server error"


def test_every_problem_is_documented_where_it_can_happen(document: dict[str, Any]) -> None:
    documented = {
        (code, example["value"]["status"], example["value"]["title"])
        for name in OPERATIONS
        for response in operation(document, name)["responses"].values()
        for code, example in response.get("content", {})
        .get(PROBLEM, {"examples": {}})["examples"]
        .items()
    }
    everywhere = {"method-not-allowed", "unavailable", *BEFORE_ANY_ROUTE}
    assert all(f"`{code}`" in document["info"]["description"] for code in BEFORE_ANY_ROUTE)
    assert documented == {
        (kind.code, kind.status, kind.title)
        for kind in KINDS.values()
        if kind.code not in everywhere
    }
    assert {
        *("unknown-handler", "unusable-handler", "invalid-payload", "too-many-values"),
        *("quota-exceeded", "idempotency-mismatch", "invalid-request"),
    } == set(operation(document, "submit")["responses"]["422"]["content"][PROBLEM]["examples"])


def test_every_body_has_examples_that_fit(document: dict[str, Any]) -> None:
    assert len(contents(document)) > 60
    for where, content in contents(document):
        if "x-item-schema" in content:
            continue
        schema = {**content["schema"], "components": document["components"]}
        validator = jsonschema_rs.validator_for(schema, validate_formats=True)
        assert content["examples"], where
        for example in content["examples"].values():
            validator.validate(example["value"])


@pytest.mark.parametrize("name", ["events", "stats_events"])
def test_the_example_of_a_stream_is_an_event(document: dict[str, Any], name: str) -> None:
    response = operation(document, name)["responses"]["200"]
    ((media_type, content),) = response["content"].items()
    assert media_type == "text/event-stream"
    (example,) = content["examples"].values()
    lines = example["value"].strip().splitlines()
    event = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    data = content["x-item-schema"]["properties"]["data"]["contentSchema"]
    jsonschema_rs.validator_for(content["x-item-schema"]).validate(event)
    schema = {**data, "components": document["components"]}
    jsonschema_rs.validator_for(schema).validate(json.loads(event["data"]))


def test_parameters_are_exact(document: dict[str, Any]) -> None:
    parameters = {
        (name, each["name"]): each["schema"]
        for name in OPERATIONS
        for each in operation(document, name).get("parameters", ())
    }
    key = parameters["submit", "Idempotency-Key"]
    assert (key["minLength"], key["maxLength"], key["pattern"]) == (1, 255, "^[ -~]*$")
    assert parameters["get", "task_id"]["format"] == "uuid"
    wait, limit = parameters["get", "wait"], parameters["list", "limit"]
    assert (wait["type"], wait["minimum"], wait["maximum"]) == ("number", 0, 60)
    assert (limit["type"], limit["minimum"], limit["maximum"], limit["default"]) == (
        "integer",
        1,
        200,
        50,
    )
    assert not any("null" in str(schema) for schema in parameters.values())


def test_a_patch_may_be_a_merge_patch(document: dict[str, Any]) -> None:
    content = operation(document, "update")["requestBody"]["content"]
    assert set(content) == {"application/merge-patch+json", "application/json"}


async def test_the_served_document_names_the_handlers(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    document = (await api.get("/openapi.json")).json()
    handler = document["components"]["schemas"]["TaskCreate"]["properties"]["handler"]
    assert handler["examples"] == ["taskq.echo", "taskq.flaky", "taskq.sleep"]


async def test_a_client_generated_from_the_document_may_name_later_handlers(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    document = (await api.get("/openapi.json")).json()
    schema = {"$ref": "#/components/schemas/TaskCreate", "components": document["components"]}
    later = {"handler": "published.tomorrow", "payload": {}}
    assert jsonschema_rs.validator_for(schema).is_valid(later)
    assert "taskq.echo" not in str(document["components"]["schemas"]["TaskItem"])


async def test_without_handlers_there_is_nothing_to_name(
    api: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    assert (await api.get("/openapi.json")).json() == document


def check(raw: bytes, model: type[BaseModel]) -> None:
    """What was sent is what the model says: the same after a strict reading, and no more."""
    read = model.model_validate_json(raw, strict=True)
    sent, kept = read_json(raw), read.model_dump(mode="json", by_alias=True)
    assert shape(sent) == shape(kept)


def read_json(raw: bytes) -> Any:
    return httpx.Response(200, content=raw).json()


def shape(value: Any) -> Any:
    """The keys and types of a document, all the way down."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value)


async def test_the_wire_is_what_the_models_say(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    full = {
        "title": "Ünïcode ☃",
        "description": "d",
        "tags": ["a", "b"],
        "run_at": "2000-01-01T00:00:00Z",
        "backoff_base_seconds": 1.5,
        "backoff_max_seconds": 60,
        "keep_seconds": 60,
    }
    ids = [(await submit(**full))["id"], (await submit())["id"], (await submit())["id"]]
    await worker.fail(await worker.claim(ids[0]))
    await worker.succeed(await worker.claim(ids[1]), {"deep": [None, 1.5, True]})
    running = await worker.claim(ids[2])
    await worker.report(running, {"current": 1.5, "total": None, "message": None})
    await api.post(f"/tasks/{ids[2]}/cancel")
    for task_id in ids:
        check((await api.get(f"/tasks/{task_id}")).content, TaskRead)
        check((await api.get(f"/tasks/{task_id}/attempts")).content, AttemptList)
    check((await api.get("/tasks")).content, TaskPage)
    check((await api.post("/tasks/wait", json={"ids": ids})).content, TaskList)
    item = (await api.get("/tasks")).json()["items"][0]
    assert set(item) == set(TaskItem.model_fields)


@pytest.mark.parametrize("name", ["submit", "submit_many"])
def test_an_example_of_a_stored_task_has_not_run_yet(document: dict[str, Any], name: str) -> None:
    (content,) = operation(document, name)["responses"]["201"]["content"].values()
    examples = [each["value"] for each in content["examples"].values()]
    tasks = [task for each in examples for task in each.get("items", [each]) if "status" in task]
    assert [(task["status"], task["started_at"]) for task in tasks] == [("queued", None)]


def test_titles_of_operations_are_different_and_for_people(document: dict[str, Any]) -> None:
    titles = [operation(document, name)["summary"] for name in OPERATIONS]
    assert len(set(titles)) == len(titles)
    assert [title for title in titles if " " not in title] == []


def test_every_tag_of_an_operation_is_described(document: dict[str, Any]) -> None:
    described = {each["name"] for each in document["tags"] if each["description"]}
    assert {tag for name in OPERATIONS for tag in operation(document, name)["tags"]} == described
