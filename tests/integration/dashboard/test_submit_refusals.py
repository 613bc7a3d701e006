"""What the form of a submit does with hostile schemas, foreign forms and small keys."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import asking_for_keys, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.published import FROM_PAGE, Form, links, publish, text_of
from tests.integration.dashboard.shop import PATH, SCHEMA, made, post, tasks

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
