"""`POST /tasks/batch`: all or nothing, in order, one key for the whole list."""

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.usefixtures("worker")


def items(number: int) -> dict[str, list[dict[str, Any]]]:
    return {"items": [{"handler": "taskq.echo", "payload": {"value": n}} for n in range(number)]}


async def count(api: httpx.AsyncClient) -> int:
    return len((await api.get("/tasks", params={"limit": 200})).json()["items"])


async def test_all_tasks_in_order(api: httpx.AsyncClient) -> None:
    response = await api.post("/tasks/batch", json=items(20))
    assert response.status_code == 201
    tasks = response.json()["items"]
    assert [task["payload"]["value"] for task in tasks] == list(range(20))
    assert await count(api) == 20
    assert (await api.get(f"/tasks/{tasks[7]['id']}")).json() == tasks[7]


NASTY = [
    "100%",
    "%s",
    "%(id)s",
    "%%",
    "it's",
    "a \\ b",
    "\\'",
    '"',
    "x'); DROP TABLE tasks; --",
    "☃ 🎉",
    '"☃"100%' * 50,
]


@pytest.mark.parametrize("texts", [NASTY, *([text] * 2 for text in NASTY)])
async def test_texts_come_back_as_they_were_sent(api: httpx.AsyncClient, texts: list[str]) -> None:
    """What a batch has in common is written in another way than what differs."""
    items = [
        {
            "handler": "taskq.echo",
            "payload": {"value": text + "\n\r\t"},
            "title": text[:200],
            "description": text,
        }
        for text in texts
    ]
    sent = (await api.post("/tasks/batch", json={"items": items})).json()["items"]
    for text, task in zip(texts, sent, strict=True):
        found = (await api.get(f"/tasks/{task['id']}")).json()
        assert (found["payload"], found["title"]) == ({"value": text + "\n\r\t"}, text[:200])
        assert found["description"] == text


async def test_ids_only(api: httpx.AsyncClient) -> None:
    response = await api.post(
        "/tasks/batch", json=items(3), headers={"Prefer": 'foo, return="minimal"'}
    )
    assert response.status_code == 201
    assert response.headers["preference-applied"] == "return=minimal"
    refs = response.json()["items"]
    assert [set(ref) for ref in refs] == [{"id"}] * 3
    third = (await api.get(f"/tasks/{refs[2]['id']}")).json()
    assert third["payload"] == {"value": 2}


@pytest.mark.parametrize(
    ("bad", "status_code", "code", "pointer"),
    [
        ({"handler": "nobody"}, 422, "unknown-handler", "/items/1/handler"),
        ({"handler": "taskq.sleep", "payload": {}}, 422, "invalid-payload", "/items/1/payload"),
        ({"handler": "taskq.echo", "tags": [" "]}, 422, "invalid-request", "/items/1/tags/0"),
        ({"handler": "taskq.echo", "prio": 1}, 422, "invalid-request", "/items/1/prio"),
        (["taskq.echo"], 422, "invalid-request", "/items/1"),
    ],
)
async def test_one_bad_item_and_nothing_is_stored(
    api: httpx.AsyncClient, bad: Any, status_code: int, code: str, pointer: str
) -> None:
    good = items(2)["items"]
    response = await api.post("/tasks/batch", json={"items": [good[0], bad, good[1]]})
    assert response.status_code == status_code
    body = response.json()
    assert body["code"] == code
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    assert await count(api) == 0


@pytest.mark.parametrize("body", [{"items": []}, {"items": None}, {}, {"tasks": []}, [], "items"])
async def test_a_batch_is_an_object_with_items(api: httpx.AsyncClient, body: Any) -> None:
    response = await api.post("/tasks/batch", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid-request")


async def test_a_thousand_and_no_more(api: httpx.AsyncClient) -> None:
    tiny = '{"handler":"a"}'
    many = "[" + ",".join([tiny] * 1_001) + "]"
    response = await api.post(
        "/tasks/batch",
        content='{"items":' + many + "}",
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/items"


async def test_the_same_key_gives_the_first_tasks(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "night"}
    first = await api.post("/tasks/batch", json=items(5), headers=headers)
    again = await api.post("/tasks/batch", json=items(5), headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert await count(api) == 5

    minimal = await api.post(
        "/tasks/batch", json=items(5), headers={**headers, "Prefer": "return=minimal"}
    )
    assert minimal.json()["items"] == [{"id": task["id"]} for task in first.json()["items"]]


async def test_the_same_key_with_another_list(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "night"}
    await api.post("/tasks/batch", json=items(2), headers=headers)
    other = await api.post("/tasks/batch", json=items(3), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert await count(api) == 2


async def test_a_batch_may_be_larger_than_a_task(api: httpx.AsyncClient) -> None:
    body = {"items": [{**item, "description": "x" * 9_000} for item in items(8)["items"]]}
    assert (await api.post("/tasks/batch", json=body)).status_code == 201
    body["items"] *= 3
    response = await api.post("/tasks/batch", json=body)
    assert (response.status_code, response.json()["code"]) == (413, "body-too-large")
    assert await count(api) == 8


async def test_a_task_may_nest_as_deep_in_a_batch_as_alone(api: httpx.AsyncClient) -> None:
    def task(levels: int) -> dict[str, Any]:
        value: Any = 0
        for _ in range(levels - 2):
            value = [value]
        return {"handler": "taskq.echo", "payload": {"value": value}}

    assert (await api.post("/tasks", json=task(32))).status_code == 201
    assert (await api.post("/tasks", json=task(33))).status_code == 422
    assert (await api.post("/tasks/batch", json={"items": [task(32)]})).status_code == 201
    response = await api.post("/tasks/batch", json={"items": [task(33)]})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["code"] == "too-deep"
    assert error["pointer"] == "/items/0/payload/value" + "/0" * 30
