"""Submit from a form: what is typed is what the API would have got, and nothing typed is lost."""

import json

import httpx
import pytest

from taskq_server.domain.requests import TaskDefaults
from taskq_server.runtime import Runtime
from tests.integration.api.workers import add_worker
from tests.integration.dashboard.published import Form, links, only, publish, text_of
from tests.integration.dashboard.shop import PATH, SCHEMA, made, post, tasks


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
