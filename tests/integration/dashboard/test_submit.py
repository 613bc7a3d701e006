"""Submit from a form: what is typed is what the API would have got, and nothing typed is lost."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from taskq_server.domain.requests import TaskDefaults
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import asking_for_keys, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.workers import add_worker
from tests.integration.dashboard.published import FROM_PAGE, Form, links, only, publish, text_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "to": {"type": "string", "title": "To whom", "description": "An address", "minLength": 3},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "size": {"type": "integer", "minimum": 1, "default": 1},
        "price": {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]},
        "flag": {"type": "boolean", "default": False},
        "colour": {"enum": ["red", "blue"]},
        "day": {"type": "string", "format": "date"},
        "lines": {"type": "array", "items": {"type": "string"}, "default": []},
        "ship": {"$ref": "#/$defs/Address"},
        "extra": {"type": "object", "additionalProperties": True},
    },
    "required": ["to", "size"],
    "$defs": {
        "Address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["street"],
        }
    },
}
PATH = "/dashboard/submit/shop.order"


@pytest.fixture
async def shop(runtime: Runtime) -> None:
    await publish(runtime, "shop.order", json.dumps(SCHEMA), "Pack an order.")


@pytest.fixture
async def form(api: httpx.AsyncClient, shop: None) -> Form:
    return Form((await api.get(PATH)).text)


async def post(
    api: httpx.AsyncClient, sent: dict[str, str], path: str = PATH, **headers: str
) -> httpx.Response:
    return await api.post(path, data=sent, headers={**FROM_PAGE, **headers})


async def made(api: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 303, text_of(answer.text)
    found = await api.get(answer.headers["location"].removeprefix("/dashboard"))
    task: dict[str, Any] = found.json()
    return task


async def tasks(api: httpx.AsyncClient) -> int:
    return len((await api.get("/tasks")).json()["items"])


async def test_one_chooses_a_handler(api: httpx.AsyncClient, shop: None, runtime: Runtime) -> None:
    page = await api.get("/dashboard/submit")
    assert PATH in links(page.text)
    assert "no live worker" in text_of(page.text)
    await add_worker(runtime, handlers=["shop.order"])
    assert "no live worker" not in text_of((await api.get("/dashboard/submit")).text)


async def test_without_handlers_the_page_says_what_to_do(api: httpx.AsyncClient) -> None:
    assert "taskq-server worker" in text_of((await api.get("/dashboard/submit")).text)
    assert (await api.get(PATH)).status_code == 422


async def test_a_form_says_what_the_schema_says(api: httpx.AsyncClient, form: Form) -> None:
    page = text_of((await api.get(PATH)).text)
    for said in ("Pack an order.", "To whom", "An address", "Characters: ≥ 3", "For example 12.50"):
        assert said in page, said
    assert form.options["/payload/flag"] == ["", "true", "false"]
    assert form.options["/payload/colour"] == ["", '"red"', '"blue"']
    assert form.options["empty:/payload/note"] == ["absent", "null", "empty"]


async def test_all_of_a_payload(api: httpx.AsyncClient, form: Form) -> None:
    sent = form.sent(
        to=" Ada\nand Bob ",
        size="9007199254740993",
        price="0.10",
        flag="true",
        colour='"blue"',
        day="2026-01-31",
        lines="a\n\n b",
        ship__street="x",
    )
    sent["json:/payload/extra"] = '{"deep": [1, 2.50, "\\u0000"]}'
    sent["empty:/payload/note"] = "null"
    task = await made(api, await post(api, sent))
    assert task["payload"] == {
        "to": " Ada\nand Bob ",
        "size": 2**53 + 1,
        "price": "0.10",
        "flag": True,
        "colour": "blue",
        "day": "2026-01-31",
        "lines": ["a", " b"],
        "ship": {"street": "x"},
        "extra": {"deep": [1, 2.5, "\0"]},
        "note": None,
    }


async def test_what_is_left_empty_is_left_out(api: httpx.AsyncClient, form: Form) -> None:
    task = await made(api, await post(api, form.sent(to="Ada", size="1")))
    assert task["payload"] == {"to": "Ada", "size": 1}
    assert only(task, "title", "queue", "priority", "max_retries", "tags", "unique_key") == {
        "title": "shop.order",
        "queue": "default",
        "priority": "normal",
        "max_retries": 3,
        "tags": [],
        "unique_key": None,
    }


async def test_all_of_the_task_itself(api: httpx.AsyncClient, form: Form) -> None:
    own = {
        "/title": "A title",
        "/description": "Two\nlines",
        "/priority": '"high"',
        "/tags": "b\na",
        "/queue": "orders",
        "/run_at": "2030-01-31T09:30:00+01:00",
        "/max_retries": "7",
        "/timeout_seconds": "1.5",
        "/backoff_base_seconds": "2",
        "/backoff_max_seconds": "3",
        "/keep_seconds": "60",
        "/unique_key": "order 1",
        "/on_conflict": '"reject"',
    }
    assert own.keys() | {"/delay_seconds"} <= form.values.keys()
    sent = {**form.sent(to="Ada", size="1"), **{k: v.replace("\n", "\r\n") for k, v in own.items()}}
    task = await made(api, await post(api, sent))
    names = [name[1:] for name in own if name != "/on_conflict"]
    assert only(task, *names) == {
        "title": "A title",
        "description": "Two\nlines",
        "priority": "high",
        "tags": ["a", "b"],
        "queue": "orders",
        "run_at": "2030-01-31T08:30:00Z",
        "max_retries": 7,
        "timeout_seconds": 1.5,
        "backoff_base_seconds": 2.0,
        "backoff_max_seconds": 3.0,
        "keep_seconds": 60.0,
        "unique_key": "order 1",
    }


async def test_errors_stand_beside_their_fields_and_all_is_kept(
    api: httpx.AsyncClient, form: Form
) -> None:
    sent = form.sent(to="A", size="many", note="<b>&", lines="x\ny", ship__zip="1")
    sent["/title"] = "Kept"
    answer = await post(api, sent)
    again = Form(answer.text)
    assert answer.status_code == 422
    assert again.marked == ["/payload/to", "/payload/size"]  # an empty text is a street
    page = text_of(answer.text)
    assert '"many" is not of type "integer"' in page
    assert '"A" is shorter than 3 characters' in page
    assert again.sent() == sent
    assert await tasks(api) == 0
    corrected = again.sent(to="Ada", size="2")
    assert (await made(api, await post(api, corrected)))["payload"]["size"] == 2


async def test_what_is_missing_is_said_beside_its_field(api: httpx.AsyncClient, form: Form) -> None:
    answer = await post(api, form.sent(to="Ada"))
    assert Form(answer.text).marked == ["/payload/size"]
    assert '/payload/size "size" is a required property' in text_of(answer.text)


async def test_errors_of_the_task_itself(api: httpx.AsyncClient, form: Form) -> None:
    own = {"/priority": '"high"', "/max_retries": "101", "/timeout_seconds": "x", "/queue": "a b"}
    answer = await post(api, {**form.sent(to="Ada", size="1"), **own})
    assert answer.status_code == 422
    assert sorted(Form(answer.text).marked) == ["/max_retries", "/queue", "/timeout_seconds"]
    assert '<details class="panel" open>' in answer.text
    both = {"/run_at": "2030-01-31T09:30:00Z", "/delay_seconds": "5"}
    answer = await post(api, {**form.sent(to="Ada", size="1"), **both})
    assert (answer.status_code, await tasks(api)) == (422, 0)
    assert "give run_at or delay_seconds, not both" in text_of(answer.text)


async def test_a_form_makes_one_task_however_often_it_is_sent(
    api: httpx.AsyncClient, form: Form
) -> None:
    sent = form.sent(to="Ada", size="1")
    first, second = await post(api, sent), await post(api, sent)
    assert first.headers["location"] == second.headers["location"]
    assert await tasks(api) == 1
    assert "made%20its%20task%20already" in second.headers["set-cookie"]
    other = Form((await api.get(PATH)).text)
    await post(api, other.sent(to="Ada", size="1"))
    assert await tasks(api) == 2


async def test_a_form_that_was_changed_after_it_has_made_its_task(
    api: httpx.AsyncClient, form: Form
) -> None:
    await post(api, form.sent(to="Ada", size="1"))
    answer = await post(api, form.sent(to="Bob", size="1"))
    assert answer.status_code == 422
    assert "Submit it again to make another one" in text_of(answer.text)
    again = Form(answer.text)
    assert again.values["/payload/to"] == "Bob"
    assert (await made(api, await post(api, again.sent())))["payload"]["to"] == "Bob"


async def test_a_form_without_a_key_of_its_own(api: httpx.AsyncClient, form: Form) -> None:
    for key in ("", "x", "\0" * 32):
        answer = await post(api, {**form.sent(to="Ada", size="1"), "key": key})
        assert (answer.status_code, await tasks(api)) == (422, 0)
    assert "load the page again" in text_of(answer.text)


async def test_the_unique_key_of_another_task(api: httpx.AsyncClient, form: Form) -> None:
    sent = {**form.sent(to="Ada", size="1"), "/unique_key": "one"}
    first = await post(api, sent)
    other = Form((await api.get(PATH)).text).values["key"]
    second = await post(api, {**sent, "key": other})
    assert second.headers["location"] == first.headers["location"]
    assert "No%20task%20was%20made" in second.headers["set-cookie"]
    refused = await post(api, {**sent, "key": other, "/on_conflict": '"reject"'})
    assert refused.status_code == 409
    assert first.headers["location"] in links(refused.text)
    assert Form(refused.text).marked == ["/unique_key"]


async def test_a_queue_without_a_worker(
    api: httpx.AsyncClient, form: Form, runtime: Runtime
) -> None:
    answer = await post(api, form.sent(to="Ada", size="1"))
    assert "No%20live%20worker" in answer.headers["set-cookie"]
    await add_worker(runtime, queues=["heard"])
    await api.post("/tasks", json={"handler": "nobody"})  # the catalog is read anew
    sent = {**Form((await api.get(PATH)).text).sent(to="Ada", size="1"), "/queue": "heard"}
    assert "No%20live%20worker" not in (await post(api, sent)).headers["set-cookie"]


async def test_the_payload_as_json_text_and_back(api: httpx.AsyncClient, form: Form) -> None:
    typed = form.sent(to="Ada", size="5", lines="x", ship__street="y")
    as_json = await post(api, {**typed, "/title": "T", "switch": "json"})
    assert (as_json.status_code, await tasks(api)) == (200, 0)
    text = Form(as_json.text)
    payload = {"to": "Ada", "size": 5, "lines": ["x"], "ship": {"street": "y"}}
    assert json.loads(text.values["json:/payload"]) == payload
    assert only(text.values, "/title", "key") == {"/title": "T", "key": form.values["key"]}
    back = await post(api, {**text.sent(), "switch": "fields"})
    again = Form(back.text)
    assert only(again.values, "/payload/to", "/payload/size", "/payload/ship/street", "/title") == {
        "/payload/to": "Ada",
        "/payload/size": "5",
        "/payload/ship/street": "y",
        "/title": "T",
    }
    assert (await made(api, await post(api, again.sent())))["payload"] == payload


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "this is no JSON"),
        ("", "this is no JSON"),
        ('{"to": 1, "to": 2}', "is twice in one object"),
        ("[1]", "Input should be"),
        ('{"size": 1e999}', "too large for a double"),
        ('{"to": "Ada", "size": 0}', "0 is less than the minimum of 1"),
        ('{"to": "Ada", "size": 18446744073709551616}', "does not fit into 64 bits"),
        ("[" * 10_000, "nest"),
    ],
)
async def test_json_text_that_does_not_fit(
    api: httpx.AsyncClient, form: Form, text: str, said: str
) -> None:
    sent = {"key": form.values["key"], "json:/payload": text}
    answer = await post(api, sent)
    assert answer.status_code == 422
    assert said in text_of(answer.text)
    assert Form(answer.text).values["json:/payload"] == text
    assert Form(answer.text).marked == ["json:/payload"]


async def test_values_nest_as_deep_as_those_of_the_api(api: httpx.AsyncClient, shop: None) -> None:
    statuses = []
    for levels in range(27, 33):
        extra = {"deep": json.loads("[" * levels + "]" * levels)}
        payload = {"to": "Ada", "size": 1, "extra": extra}
        body = {"handler": "shop.order", "payload": payload}
        expected = (await api.post("/tasks", json=body)).status_code
        key = Form((await api.get(PATH)).text).values["key"]
        answer = await post(api, {"key": key, "json:/payload": json.dumps(payload)})
        assert answer.status_code == (303 if expected == 201 else expected), levels
        fields = {"key": key[::-1], "/payload/to": "Ada", "/payload/size": "1"}
        answer = await post(api, {**fields, "json:/payload/extra": json.dumps(extra)})
        assert answer.status_code == (303 if expected == 201 else expected), levels
        statuses.append(expected)
    assert {201, 422} == {*statuses}


async def test_json_text_for_which_there_are_no_fields(api: httpx.AsyncClient, form: Form) -> None:
    sent = {"key": form.values["key"], "json:/payload": '{"stranger": 1}', "switch": "fields"}
    answer = await post(api, sent)
    assert "they need JSON text" in text_of(answer.text)
    assert Form(answer.text).values["json:/payload"] == '{"stranger": 1}'


async def test_a_field_that_the_schema_has_no_more(
    api: httpx.AsyncClient, form: Form, runtime: Runtime
) -> None:
    changed = {**SCHEMA, "properties": {**SCHEMA["properties"], "note": {"type": "integer"}}}
    del changed["properties"]["flag"]
    await publish(runtime, "shop.order", json.dumps(changed))
    await api.get("/handlers")
    answer = await post(api, form.sent(to="Ada", size="1", flag="true"))
    assert (answer.status_code, await tasks(api)) == (422, 0)
    assert "/payload/flag" in text_of(answer.text)


async def test_again_with_changes(api: httpx.AsyncClient, shop: None) -> None:
    body = {
        "handler": "shop.order",
        "payload": {"to": "Ada\r", "size": 2**60 + 1, "note": "", "lines": ["a\nb"], "extra": {}},
        "title": "First",
        "priority": "urgent",
        "tags": ["x", "y"],
        "run_at": "2030-01-01T00:00:00Z",
        "unique_key": "k",
        "timeout_seconds": 5,
    }
    task = (await api.post("/tasks", json=body)).json()
    page = await api.get(f"{PATH}?from={task['id']}")
    filled = Form(page.text)
    assert f"/dashboard/tasks/{task['id']}" in links(page.text)
    assert (
        filled.values["/run_at"] == filled.values["/queue"] == filled.values["/max_retries"] == ""
    )
    sent = {**filled.sent(), "/unique_key": ""}
    again = await made(api, await post(api, sent))
    names = ("payload", "title", "priority", "tags", "timeout_seconds", "queue", "max_retries")
    assert only(again, *names) == only(task, *names)


async def test_again_leaves_the_unique_key_to_a_handler_that_finds_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    defaults = TaskDefaults(unique_key="/to", tags=("t",), queue="q")
    await publish(runtime, "shop.order", json.dumps(SCHEMA), defaults=defaults)
    body = {"handler": "shop.order", "payload": {"to": "Ada", "size": 1}}
    task = (await api.post("/tasks", json=body)).json()
    assert task["unique_key"] == "shop.order:Ada"
    filled = Form((await api.get(f"{PATH}?from={task['id']}")).text)
    own = ["/unique_key", "/tags", "/queue", "/title"]
    assert [filled.values[name] for name in own] == ["", "", "", ""]


async def test_a_payload_for_which_there_are_no_fields_fills_json_text(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await publish(runtime, "any", '{"type": "object", "properties": {"a": {"type": "string"}}}')
    body = {"handler": "any", "payload": {"stranger": "</textarea><script>alert(1)</script>"}}
    task = (await api.post("/tasks", json=body)).json()
    page = await api.get(f"/dashboard/submit/any?from={task['id']}")
    assert "<script>alert" not in page.text
    assert json.loads(Form(page.text).values["json:/payload"]) == body["payload"]


@pytest.mark.parametrize("task", ["0" * 8 + "-0000-0000-0000-" + "0" * 12, "x", ""])
async def test_from_a_task_that_is_not_there(api: httpx.AsyncClient, shop: None, task: str) -> None:
    assert (await api.get(f"{PATH}?from={task}")).status_code in (404, 422)


HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {HOSTILE: {"title": HOSTILE, "description": HOSTILE, "default": HOSTILE}}},
        {"properties": {"a": {"enum": [HOSTILE, "\ud800"]}}},
        {"properties": {"a": {"enum": [10**400]}, "b": {"default": 10**400}}},
        {"properties": {"a": {"type": "string", "pattern": HOSTILE}}},
        {"properties": {"a": {"type": "string", "format": HOSTILE, "title": "\ud800"}}},
        {"properties": {f"n{number}": {"type": "string"} for number in range(1_000)}},
        {"properties": {"a": {"enum": [f"{HOSTILE}{number}" for number in range(5_000)]}}},
        {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
        {"properties": {"a": {"properties": {"a": {"$ref": "#"}}, "type": "object"}}},
        {"type": "string"},
        {},
    ],
)  # fmt: skip
async def test_hostile_schemas(
    api: httpx.AsyncClient, runtime: Runtime, schema: dict[str, Any]
) -> None:
    await publish(runtime, "evil", json.dumps(schema), HOSTILE)
    page = await api.get("/dashboard/submit/evil")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    form = Form(page.text)
    answer = await post(api, form.sent(), "/dashboard/submit/evil")
    assert answer.status_code in (303, 422)
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("schema", ['{"$ref": "https://example.com/s"}', "no JSON", '{"type": 5}'])
async def test_a_schema_that_cannot_be_used(
    api: httpx.AsyncClient, runtime: Runtime, schema: str
) -> None:
    await publish(runtime, "broken", schema)
    page = await api.get("/dashboard/submit/broken")
    assert page.status_code == 200
    assert "cannot be used" in text_of(page.text)
    assert '<form method="post" action="/dashboard/submit' not in page.text
    assert (await api.get("/dashboard/handlers")).status_code == 200


async def test_a_name_with_slashes(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await publish(runtime, "team/shop:order.v1", json.dumps(SCHEMA))
    path = "/dashboard/submit/team/shop:order.v1"
    assert path in links((await api.get("/dashboard/submit")).text)
    form = Form((await api.get(path)).text)
    task = await made(api, await post(api, form.sent(to="Ada", size="1"), path))
    assert task["handler"] == "team/shop:order.v1"


async def test_a_body_that_is_larger_than_may_be(api: httpx.AsyncClient, form: Form) -> None:
    assert (await post(api, form.sent(to="x" * 70_000))).status_code == 413
    large = await post(api, form.sent(to="x" * 2_000, size="1"))
    assert large.status_code == 422
    assert "1024 are allowed" in text_of(large.text)
    assert Form(large.text).values["/payload/to"] == "x" * 2_000


async def test_a_field_twice(api: httpx.AsyncClient, form: Form) -> None:
    answer = await api.post(PATH, content="key=a&key=b", headers={
        **FROM_PAGE, "Content-Type": "application/x-www-form-urlencoded"
    })  # fmt: skip
    assert (answer.status_code, await tasks(api)) == (422, 0)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", None])
async def test_forms_of_other_sites(api: httpx.AsyncClient, form: Form, site: str | None) -> None:
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    answer = await api.post(PATH, data=form.sent(to="Ada", size="1"), headers=headers)
    assert answer.status_code in (403, 421)
    assert await tasks(api) == 0


@asynccontextmanager
async def browsing(runtime: Runtime, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    changed = replace(runtime, settings=runtime.settings.model_copy(update=settings))
    transport = httpx.ASGITransport(create_app(runtime=changed))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


async def test_a_dashboard_that_is_read_only(runtime: Runtime, form: Form) -> None:
    async with browsing(runtime, dashboard="read-only") as client:
        page = await client.get("/dashboard/submit")
        assert PATH not in links(page.text)
        assert "read-only" in text_of(page.text)
        assert Form((await client.get(PATH)).text).values == {}
        answer = await client.post(PATH, data=form.sent(to="Ada", size="1"), headers=FROM_PAGE)
        assert (answer.status_code, await tasks(client)) == (403, 0)


async def test_a_key_submits_to_its_handlers_alone(
    runtime: Runtime, form: Form, worker: ScriptedWorker
) -> None:
    some = shown(await make_key(runtime, "tasks:run:shop.*"))
    none = shown(await make_key(runtime, "tasks:read"))
    transport = httpx.ASGITransport(create_app(runtime=asking_for_keys(runtime)))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        page = await client.get("/dashboard/submit", headers=some)
        assert PATH in links(page.text)
        assert "taskq.echo" not in page.text
        other = "/dashboard/submit/taskq.echo"
        assert (await client.get(other, headers=some)).status_code == 403
        assert (await post(client, form.sent(), other, **some)).status_code == 403
        assert (await client.get(PATH, headers=none)).status_code == 403
        assert (await post(client, form.sent(), **none)).status_code == 403
        answer = await post(client, form.sent(to="Ada", size="1"), **some)
        assert answer.status_code == 303
        # The task of another key is not for this one to see.
        theirs = (await client.get("/tasks", headers=none)).json()["items"][0]["id"]
        again = shown(await make_key(runtime, "tasks:run:shop.*"))
        assert (await client.get(f"{PATH}?from={theirs}", headers=again)).status_code == 404


async def test_the_holder_of_a_unique_key_that_one_may_not_see(
    runtime: Runtime, form: Form
) -> None:
    first, second = [shown(await make_key(runtime, "tasks:run:*")) for _ in range(2)]
    transport = httpx.ASGITransport(create_app(runtime=asking_for_keys(runtime)))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        sent = {**form.sent(to="Ada", size="1"), "/unique_key": "one"}
        await post(client, sent, **first)
        key = Form((await client.get(PATH, headers=second)).text).values["key"]
        answer = await post(client, {**sent, "key": key}, **second)
        assert answer.headers["location"] == PATH
        assert "No%20task%20was%20made" in answer.headers["set-cookie"]
