"""`GET /tasks`: filters, order, pages, and what the query may not say."""

from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker


async def titles(api: httpx.AsyncClient, query: str) -> list[str]:
    response = await api.get(f"/tasks?{query}")
    assert response.status_code == 200, response.text
    return [item["title"] for item in response.json()["items"]]


@pytest.fixture
async def five(api: httpx.AsyncClient, submit: Submit) -> list[str]:
    """Five tasks `a` to `e`, the oldest first: when each was created."""
    tasks = [
        await submit(title="a", priority="low", tags=["x"]),
        await submit(title="b", priority="high", tags=["x", "y"]),
        await submit(title="c", priority="urgent", queue="slow", tags=["y"]),
        await submit(title="d d", handler="taskq.sleep", payload={"seconds": 1}),
        await submit(title="d%e", tags=["x", "y", "z"]),
    ]
    await api.post(f"/tasks/{tasks[0]['id']}/cancel")
    return [task["created_at"] for task in tasks]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "edcba"),
        ("order=created_at", "abcde"),
        ("order=-created_at", "edcba"),
        ("limit=2", "ed"),
        ("status=cancelled", "a"),
        ("status=queued", "edcb"),
        ("status=queued&status=cancelled", "edcba"),
        ("status=failed", ""),
        ("priority=high&priority=urgent", "cb"),
        ("tag=x", "eba"),
        ("tag=x&tag=y", "eb"),
        ("tag=x&tag=y&tag=z", "e"),
        ("tag=x&tag=nobody", ""),
        ("handler=taskq.sleep", "d"),
        ("handler=nobody", ""),
        ("handler=nobody&handler=taskq.sleep", "d"),
        ("handler=taskq.echo&handler=taskq.sleep&queue=slow", "c"),
        ("queue=slow&queue=default", "edcba"),
        ("finished_after=2000-01-01T00:00:00Z", "a"),
        ("finished_before=2000-01-01T00:00:00Z", ""),
        ("finished_before=2100-01-01T00:00:00Z&status=queued", ""),
        ("attempt_min=1", ""),
        ("error_type=ValueError", ""),
        ("queue=slow", "c"),
        ("q=d", "ed"),
        ("q=d%20d", "d"),
        ("q=d%25", "e"),
        ("q=_", ""),
        ("q=d%20", "d"),
        ("tag=y&status=queued&priority=normal", "e"),
    ],
)
async def test_filters(api: httpx.AsyncClient, five: list[str], query: str, expected: str) -> None:
    assert len(five) == 5
    assert [title[-1] for title in await titles(api, query)] == list(expected)


async def test_created_between(api: httpx.AsyncClient, five: list[str]) -> None:
    query = f"created_after={five[1]}&created_before={five[3]}"
    assert await titles(api, query) == ["c", "b"]


async def test_items_leave_out_what_is_large(api: httpx.AsyncClient, submit: Submit) -> None:
    task = await submit(tags=["a"])
    (item,) = (await api.get("/tasks")).json()["items"]
    left_out = {"payload", "result", "errors", "keep_seconds", "unique_key"}
    assert item == {k: v for k, v in task.items() if k not in left_out}


@pytest.mark.parametrize("order", ["created_at", "-created_at"])
async def test_the_link_leads_to_every_task_once(
    api: httpx.AsyncClient, submit: Submit, order: str
) -> None:
    made = [(await submit(tags=["a b&c"]))["id"] for _ in range(7)]
    url, seen = f"/tasks?limit=3&tag=a%20b%26c&order={order}", []
    while True:
        response = await api.get(url)
        page = response.json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            assert "link" not in response.headers
            break
        url = response.links["next"]["url"]
        assert response.links["next"]["rel"] == "next"
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked == {
            "limit": "3",
            "tag": "a b&c",
            "order": order,
            "cursor": page["next_cursor"],
        }
    assert seen == (made if order == "created_at" else made[::-1])


@pytest.mark.parametrize("cursor", ["nonsense", "%00", "AAAA%00", "ä", "AAAA", "x" * 200])
async def test_a_cursor_that_nobody_made(api: httpx.AsyncClient, cursor: str) -> None:
    response = await api.get(f"/tasks?cursor={cursor}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid-cursor")


async def test_a_cursor_of_another_list(api: httpx.AsyncClient, submit: Submit) -> None:
    for _ in range(2):
        await submit()
    cursor = (await api.get("/tasks?limit=1")).json()["next_cursor"]
    response = await api.get("/tasks", params={"cursor": cursor, "status": "queued"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid-cursor")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/query/limit"),
        ("limit=201", "/query/limit"),
        ("limit=", "/query/limit"),
        ("limit=ten", "/query/limit"),
        ("limit=1.5", "/query/limit"),
        ("limit=1_0", "/query/limit"),
        ("limit=%2B5", "/query/limit"),
        ("limit=5&limit=5", "/query/limit"),
        ("order=title", "/query/order"),
        ("order=created_at&order=created_at", "/query/order"),
        ("status=", "/query/status/0"),
        ("status=queued&status=Queued", "/query/status/1"),
        ("status=queued,running", "/query/status/0"),
        ("priority=3", "/query/priority/0"),
        ("tag=", "/query/tag/0"),
        ("tag=%20a", "/query/tag/0"),
        ("tag=" + "&tag=".join("abcdefghi"), "/query/tag"),
        ("handler=", "/query/handler/0"),
        ("handler=a%20b", "/query/handler/0"),
        ("q=%00", "/query/q"),
        ("q=d%00", "/query/q"),
        ("q=%00d", "/query/q"),
        ("q=d%0A", "/query/q"),
        ("q=d%E2%80%AE", "/query/q"),
        ("tag=x&tag=x%00", "/query/tag/1"),
        ("handler=a%00", "/query/handler/0"),
        ("queue=%00", "/query/queue/0"),
        ("status=queued%00", "/query/status/0"),
        ("priority=low%00", "/query/priority/0"),
        ("order=created_at%00", "/query/order"),
        ("limit=5%00", "/query/limit"),
        ("created_after=2026-10-01T00:00:00Z%00", "/query/created_after"),
        ("%00=", "/query/\0"),
        ("q=", "/query/q"),
        ("q=" + "x" * 256, "/query/q"),
        ("cursor=", "/query/cursor"),
        ("created_after=yesterday", "/query/created_after"),
        ("finished_after=yesterday", "/query/finished_after"),
        ("finished_before=2026-10-01T00:00:00", "/query/finished_before"),
        ("attempt_min=0", "/query/attempt_min"),
        ("attempt_min=2147483648", "/query/attempt_min"),
        ("attempt_min=1_0", "/query/attempt_min"),
        ("error_type=", "/query/error_type"),
        ("error_type=%20x", "/query/error_type"),
        (f"error_type={'x' * 256}", "/query/error_type"),
        ("&".join(["handler=h"] * 21), "/query/handler"),
        ("&".join(["queue=q"] * 21), "/query/queue"),
        ("queue=q&queue=", "/query/queue/1"),
        ("created_after=1700000000", "/query/created_after"),
        ("created_before=2026-10-01T00:00:00", "/query/created_before"),
        ("created_before=", "/query/created_before"),
        ("page=2", "/query/page"),
        ("Limit=2", "/query/Limit"),
        ("=", "/query/"),
        ("a~b%2Fc=", "/query/a~0b~1c"),
    ],
)
async def test_what_a_query_may_not_say(api: httpx.AsyncClient, query: str, pointer: str) -> None:
    response = await api.get(f"/tasks?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid-request")
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_no_route_takes_what_it_does_not_know(api: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/tasks/{(await submit())['id']}"
    routes = [
        ("POST", "/tasks"),
        ("POST", "/tasks/batch"),
        ("POST", "/tasks/wait"),
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}/cancel"),
        ("POST", f"{path}/retry"),
        ("GET", f"{path}/attempts"),
        ("GET", "/tags"),
        ("GET", "/handlers"),
        ("GET", "/stats"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/redoc"),
    ]
    for method, route in routes:
        response = await api.request(method, f"{route}?colour=blue")
        assert response.status_code == 422, route
        assert [error["pointer"] for error in response.json()["errors"]] == ["/query/colour"]
    assert (await api.get(path)).json()["status"] == "queued"


async def test_a_retrying_task_is_listed_with_its_next_try(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    task = await submit()
    await worker.fail(await worker.claim(task["id"]))
    (item,) = (await api.get("/tasks?status=retrying")).json()["items"]
    assert item["run_at"] > item["created_at"]


async def test_what_failed_alike_is_found_by_its_last_error(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    for title, fatal in (("failed", True), ("retrying", False), ("tried again", True)):
        task = await submit(title=title)
        await worker.fail(await worker.claim(task["id"]), fatal=fatal)
    await api.post(f"/tasks/{task['id']}/retry")
    (error,) = (await api.get(f"/tasks/{task['id']}")).json()["errors"]
    alike = f"error_type={error['type']}"
    assert await titles(api, alike) == ["retrying", "failed"], "the third is queued again"
    assert await titles(api, f"{alike}&status=failed") == ["failed"]
    assert await titles(api, f"{alike}&status=queued") == []
    assert await titles(api, f"{alike}&finished_after=2000-01-01T00:00:00Z") == ["failed"]
    assert await titles(api, "error_type=Nothing") == []
    assert await titles(api, "attempt_min=1") == ["tried again", "retrying", "failed"]
    assert await titles(api, "attempt_min=2") == []
