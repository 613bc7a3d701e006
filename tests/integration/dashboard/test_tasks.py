"""The list of tasks: filters in its address, pages, empty states, and hostile texts."""

from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from taskq_server.crud import listing
from taskq_server.dashboard.task_filters import Asked
from taskq_server.runtime import Runtime
from taskq_server.schemas.query import TaskQuery
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.marked_up import Page

HOSTILE = "<script>alert(1)</script>"


async def submitted(api: httpx.AsyncClient, **fields: Any) -> str:
    body = {"handler": "taskq.echo", "payload": {"value": 1}, **fields}
    answer = await api.post("/tasks", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def page_of(api: httpx.AsyncClient, query: str = "", status: int = 200) -> Page:
    answer = await api.get(f"/dashboard/tasks{query}")
    assert answer.status_code == status, answer.text
    return Page(answer.text)


@pytest.fixture
async def three(api: httpx.AsyncClient, worker: ScriptedWorker) -> list[str]:
    """Tasks with little in common, the newest last."""
    made = [
        await submitted(api, title="one", tags=["red", "round"], priority="low"),
        await submitted(api, title="two", tags=["red"], queue="mail"),
        await submitted(api, title="three", handler="taskq.sleep", payload={"seconds": 0}),
    ]
    await worker.fail(await worker.claim(made[1]), fatal=True)
    return made


def test_a_page_takes_the_parameters_of_the_api() -> None:
    assert set(Asked.model_fields) == set(TaskQuery.model_fields)


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["three", "two", "one"]),
        ("?order=created_at", ["one", "two", "three"]),
        ("?status=failed", ["two"]),
        ("?status=failed&status=queued", ["three", "two", "one"]),
        ("?handler=taskq.sleep", ["three"]),
        ("?queue=mail", ["two"]),
        ("?tag=red", ["two", "one"]),
        ("?tag=red&tag=round", ["one"]),
        ("?priority=low", ["one"]),
        ("?error_type=RuntimeError", ["two"]),
        ("?q=t", ["three", "two"]),
        ("?attempt_min=1", ["two"]),
        ("?created_after=2999-01-01T00:00:00Z", []),
        ("?finished_before=2999-01-01T00:00:00Z&status=failed", ["two"]),
        ("?schedule=nightly", []),
    ],
)
async def test_filters_stand_in_the_address(
    api: httpx.AsyncClient, three: list[str], query: str, titles: list[str]
) -> None:
    page = await page_of(api, query)
    assert page.titles() == titles
    asked = parse_qsl(query[1:])
    shown = [(each.attributes.get("name"), each.attributes.get("value")) for each in page]
    assert [each for each in asked if each not in shown and each[0] != "order"] == []


async def test_a_row_says_what_helps_and_leads_to_its_task(
    api: httpx.AsyncClient, three: list[str]
) -> None:
    page = await page_of(api, "?queue=mail")
    row = next(each.text for each in page.all("tr") if "two" in each.text)
    for text in ("failed", "two", "taskq.echo", "mail", "normal", "1", "red"):
        assert text in row
    assert page.link("two") == f"/dashboard/tasks/{three[1]}"
    assert page.link("red") == "/dashboard/tasks?tag=red"


async def test_fields_that_are_left_empty_are_left_out_of_the_address(
    api: httpx.AsyncClient,
) -> None:
    answer = await api.get("/dashboard/tasks?status=failed&handler=&queue=mail&queue=&q=&limit=")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/dashboard/tasks?status=failed&queue=mail"
    assert (await api.get("/dashboard/tasks?q=")).headers["location"] == "/dashboard/tasks"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("status=odd", "status"),
        ("attempt_min=many", "attempt_min"),
        ("created_after=yesterday", "created_after"),
        ("id=xyz", "id"),
        ("handler=a%20b", "handler"),
        ("limit=201", "limit"),
        ("q=a&q=b", "q"),
        ("cursor=nonsense", "cursor"),
    ],
)
async def test_a_refused_value_is_told_beside_the_form_that_keeps_it(
    api: httpx.AsyncClient, three: list[str], query: str, name: str
) -> None:
    page = await page_of(api, f"?{query}&tag=red", 422)
    said = (await api.get(f"/tasks?{query}")).json()
    alert = next(each for each in page if each.attributes.get("role") == "alert")
    sentence = (said["errors"] or [{"detail": said["detail"]}])[0]["detail"]
    assert sentence in alert.text
    assert page.sent("tag") == ["red"]
    if name in ("attempt_min", "created_after", "id", "handler"):
        assert page.sent(name)[0] == dict(parse_qsl(query))[name]
    assert page.titles() == []


async def test_a_parameter_that_there_is_not_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.get("/dashboard/tasks?colour=red")
    assert answer.status_code == 422
    assert "there is no such parameter" in answer.text


async def test_pages_follow_one_another(api: httpx.AsyncClient, three: list[str]) -> None:
    first = await api.get("/dashboard/tasks?limit=2&tag=red&order=created_at")
    assert Page(first.text).titles() == ["one", "two"]
    assert Page(first.text).link("next") is None  # no third task has the tag
    page = await page_of(api, "?limit=2")
    assert page.titles() == ["three", "two"]
    assert page.link("first") is None
    after = page.link("next")
    assert after is not None
    last = Page((await api.get(after)).text)
    assert last.titles() == ["one"]
    assert last.link("next") is None
    assert last.link("first") == "/dashboard/tasks?limit=2"


async def test_a_page_without_a_match_may_have_a_next_one(
    api: httpx.AsyncClient, worker: ScriptedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await submitted(api, title="wanted")
    for number in range(4):
        await submitted(api, title=f"other {number}")
    monkeypatch.setattr(listing, "BUDGET", 3)
    answer = await api.get("/dashboard/tasks?limit=2&q=wanted")
    page = Page(answer.text)
    assert page.titles() == []
    assert "Among the tasks of this page none matches." in answer.text
    after = page.link("next")
    assert after is not None
    assert Page((await api.get(after)).text).link("wanted") == f"/dashboard/tasks/{wanted}"


async def test_no_task_at_all_is_another_thing_than_none_that_matches(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    nothing = (await api.get("/dashboard/tasks")).text
    assert "There is no task yet." in nothing
    assert Page(nothing).link("Submit one") == "/dashboard/submit"
    await submitted(api)
    none = (await api.get("/dashboard/tasks?status=failed")).text
    assert "No task matches." in none
    assert Page(none).link("Show all tasks") == "/dashboard/tasks"


async def test_known_handlers_and_queues_are_offered(
    api: httpx.AsyncClient, three: list[str]
) -> None:
    page = await page_of(api)
    offered = {each.attributes.get("value") for each in page.all("option")}
    assert {"taskq.echo", "taskq.sleep", "default", "mail"} <= offered


async def test_statuses_have_their_counts_where_those_are_known(
    api: httpx.AsyncClient, three: list[str]
) -> None:
    async def labels(query: str) -> list[str]:
        texts = [each.text for each in (await page_of(api, query)).all("label")]
        return [each for each in texts if each.startswith(("queued", "failed"))]

    assert await labels("") == ["queued 2", "failed 1"]
    assert await labels("?queue=mail") == ["queued 0", "failed 1"]
    assert await labels("?tag=red") == ["queued", "failed"]


async def test_hostile_texts_are_texts(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    tag = "<img src=x onerror=alert(1)>"
    await submitted(api, title=HOSTILE, tags=[tag, "שלום", "a\u200bb"])
    await submitted(api, title="a" * 255)
    for query in ("", f"?q={HOSTILE}", f"?tag={tag}", f"?error_type={HOSTILE}", f"?id={HOSTILE}"):
        answer = await api.get(f"/dashboard/tasks{query}")
        assert HOSTILE not in answer.text
        assert "<img" not in answer.text
        assert "alert(1)" in unescape(answer.text)
    page = await page_of(api)
    assert page.titles() == ["a" * 255, HOSTILE]
    assert all(urlsplit(each.attributes["href"]).scheme == "" for each in page.all("a"))
    assert not [each for each in page if any(name.startswith("on") for name in each.attributes)]


async def test_a_page_says_what_it_was_made_from(api: httpx.AsyncClient, three: list[str]) -> None:
    """The script compares it with the live counts, to hint at changes."""
    page = await page_of(api, "?status=failed&queue=mail")
    source = next(each for each in page if "data-seen" in each.attributes)
    assert source.attributes["hx-sse:connect"] == "/stats/events"
    assert source.attributes["data-queues"] == '["mail"]'
    assert source.attributes["data-statuses"] == '["failed"]'
    assert '"failed": 1' in source.attributes["data-seen"]


async def test_who_may_not_read_tasks_sees_none(runtime: Runtime) -> None:
    key = shown(await make_key(runtime, "tasks:run:*"))
    async with calling_closed(runtime) as client:
        answer = await client.get("/dashboard/tasks", headers=key)
        assert answer.status_code == 403
        assert "tasks:read" in answer.text
