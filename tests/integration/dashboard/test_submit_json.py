"""The payload of a form as JSON text, and what no field can hold."""

import json

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.dashboard.published import Form, only, publish, text_of
from tests.integration.dashboard.shop import PATH, SCHEMA, made, post, tasks


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
