"""`POST /tasks`: what is stored, idempotency keys, and `Prefer: wait`."""

import asyncio
import re
from typing import Any

import httpx
import pytest

from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker

ECHO = {"handler": "taskq.echo", "payload": {"value": [1, "zwei", None]}}

pytestmark = pytest.mark.usefixtures("worker")


async def count(api: httpx.AsyncClient) -> int:
    return len((await api.get("/tasks", params={"limit": 200})).json()["items"])


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), body
    return body


async def test_a_new_task(api: httpx.AsyncClient) -> None:
    response = await api.post("/tasks", json=ECHO)
    task = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/tasks/{task['id']}"
    assert response.headers["etag"] == f'"{task["version"]}"'
    assert "idempotency-replayed" not in response.headers
    assert task == {
        **task,
        "handler": "taskq.echo",
        "title": "taskq.echo",
        "description": None,
        "payload": ECHO["payload"],
        "status": "queued",
        "priority": "normal",
        "tags": [],
        "queue": "default",
        "run_at": None,
        "timeout_seconds": 300.0,
        "max_retries": 3,
        "current_retry_count": 0,
        "attempt": 0,
        "errors": [],
        "progress": None,
        "result": None,
        "worker_id": None,
        "cancel_requested_at": None,
        "traceparent": None,
        "started_at": None,
        "finished_at": None,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", task["created_at"])
    assert (await api.get(response.headers["location"])).json() == task


async def test_every_field_is_kept(api: httpx.AsyncClient) -> None:
    sent = {
        **ECHO,
        "title": "Oktober ☃",
        "description": "line one\nline two",
        "priority": "urgent",
        "tags": ["b", "a", "b"],
        "queue": "slow",
        "run_at": "2100-01-02T03:04:05.6+02:00",
        "timeout_seconds": 1.5,
        "max_retries": 0,
        "backoff_base_seconds": 2,
        "backoff_max_seconds": 60,
        "keep_seconds": 86_400,
    }
    task = (await api.post("/tasks", json=sent)).json()
    assert task == {**task, **sent, "tags": ["a", "b"], "run_at": "2100-01-02T01:04:05.600000Z"}
    assert (await api.get(f"/tasks/{task['id']}")).json() == task


async def test_delay_seconds_sets_run_at(submit: Submit) -> None:
    task = await submit(delay_seconds=3600)
    assert task["run_at"] > task["created_at"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"handler": None}, "/handler"),
        ({"payload": []}, "/payload"),
        ({"title": ""}, "/title"),
        ({"title": " x"}, "/title"),
        ({"title": "a\0b"}, "/title"),
        ({"tags": ["ok", "x" * 65]}, "/tags/1"),
        ({"tags": ["n\0l"]}, "/tags/0"),
        ({"tags": [f"t{n}" for n in range(33)]}, "/tags"),
        ({"tags": "a"}, "/tags"),
        ({"queue": "a b"}, "/queue"),
        ({"queue": "q\0"}, "/queue"),
        ({"priority": 3}, "/priority"),
        ({"priority": "High"}, "/priority"),
        ({"run_at": "2026-10-01T08:00:00"}, "/run_at"),
        ({"run_at": 1_700_000_000}, "/run_at"),
        ({"run_at": "1700000000"}, "/run_at"),
        ({"run_at": "2026-10-01 08:00:00Z"}, "/run_at"),
        ({"run_at": "9999-12-31T23:59:59-12:00"}, "/run_at"),
        ({"delay_seconds": -1}, "/delay_seconds"),
        ({"run_at": "2100-01-01T00:00:00Z", "delay_seconds": 1}, ""),
        ({"timeout_seconds": 0}, "/timeout_seconds"),
        ({"timeout_seconds": True}, "/timeout_seconds"),
        ({"timeout_seconds": "5"}, "/timeout_seconds"),
        ({"timeout_seconds": 86_401}, "/timeout_seconds"),
        ({"max_retries": 101}, "/max_retries"),
        ({"max_retries": 1.5}, "/max_retries"),
        ({"max_retries": False}, "/max_retries"),
        ({"backoff_base_seconds": -1}, "/backoff_base_seconds"),
        ({"status": "succeeded"}, "/status"),
        ({"a/b~c": 1}, "/a~1b~0c"),
    ],
)
async def test_a_bad_field_is_named(
    api: httpx.AsyncClient, changes: dict[str, Any], pointer: str
) -> None:
    body = problem(await api.post("/tasks", json={**ECHO, **changes}), 422, "invalid-request")
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    assert await count(api) == 0


async def test_an_unknown_handler(api: httpx.AsyncClient) -> None:
    response = await api.post("/tasks", json={"handler": "nobody.knows"})
    assert problem(response, 422, "unknown-handler")["errors"][0]["pointer"] == "/handler"
    assert await count(api) == 0


async def test_a_payload_that_does_not_fit(api: httpx.AsyncClient) -> None:
    response = await api.post(
        "/tasks", json={"handler": "taskq.sleep", "payload": {"seconds": "long"}}
    )
    body = problem(response, 422, "invalid-payload")
    assert [error["pointer"] for error in body["errors"]] == ["/payload/seconds"]
    assert await count(api) == 0


async def test_a_payload_that_is_too_large(api: httpx.AsyncClient) -> None:
    response = await api.post("/tasks", json={**ECHO, "payload": {"value": "x" * 1_024}})
    (error,) = problem(response, 422, "invalid-request")["errors"]
    assert (error["pointer"], error["code"]) == ("/payload", "payload-too-large")
    assert await count(api) == 0


async def test_the_same_key_and_body_give_the_first_task(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order 17!"}
    first = await api.post("/tasks", json=ECHO, headers=headers)
    again = await api.post(
        "/tasks",
        content=b'{"payload": {"value": [1, "zwei", null]},   "handler": "taskq.echo"}',
        headers={**headers, "Content-Type": "application/json"},
    )
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["location"] == first.headers["location"]
    assert await count(api) == 1


async def test_the_same_key_with_another_body(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k"}
    await api.post("/tasks", json=ECHO, headers=headers)
    other = await api.post("/tasks", json={**ECHO, "priority": "high"}, headers=headers)
    problem(other, 422, "idempotency-mismatch")
    assert await count(api) == 1


async def test_fifty_submits_with_one_key_make_one_task(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "race"}
    posts = (api.post("/tasks", json=ECHO, headers=headers) for _ in range(50))
    responses = await asyncio.gather(*posts)
    assert sorted(each.status_code for each in responses) == [200] * 49 + [201]
    assert len({each.json()["id"] for each in responses}) == 1
    assert await count(api) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel".encode("latin-1"), b"a\tb"])
async def test_a_key_that_cannot_be_one(api: httpx.AsyncClient, key: str | bytes) -> None:
    name = b"Idempotency-Key"
    value = key.encode() if isinstance(key, str) else key
    response = await api.post("/tasks", json=ECHO, headers=[(name, value)])
    (error,) = problem(response, 422, "invalid-request")["errors"]
    assert error["pointer"] == "/header/Idempotency-Key"
    assert await count(api) == 0


async def test_two_keys_are_one_too_many(api: httpx.AsyncClient) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    response = await api.post("/tasks", json=ECHO, headers=headers)
    (error,) = problem(response, 422, "invalid-request")["errors"]
    assert error["pointer"] == "/header/Idempotency-Key"


async def test_prefer_wait_answers_with_the_final_task(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    waiting = asyncio.create_task(
        api.post("/tasks", json=ECHO, headers={"Prefer": "respond-async, wait=30"})
    )
    while not (listed := (await api.get("/tasks")).json()["items"]):
        assert not waiting.done()
    await worker.succeed(await worker.claim(listed[0]["id"]), "done")
    response = await waiting
    assert response.status_code == 201
    assert response.headers["preference-applied"] == "wait=30"
    assert response.json()["status"] == "succeeded"
    assert response.json()["result"] == "done"
    assert response.headers["etag"] == f'"{response.json()["version"]}"'


async def test_prefer_wait_ends_when_the_time_is_up(api: httpx.AsyncClient) -> None:
    response = await api.post("/tasks", json=ECHO, headers={"Prefer": "wait=1"})
    assert response.status_code == 201
    assert response.json()["status"] == "queued"
    assert response.headers["preference-applied"] == "wait=1"


async def test_a_task_deleted_during_the_wait_was_stored_all_the_same(
    api: httpx.AsyncClient,
) -> None:
    waiting = asyncio.create_task(api.post("/tasks", json=ECHO, headers={"Prefer": "wait=30"}))
    while not (listed := (await api.get("/tasks")).json()["items"]):
        assert not waiting.done()
    assert (await api.delete(f"/tasks/{listed[0]['id']}")).status_code == 204
    assert (await waiting).status_code == 201


@pytest.mark.parametrize("prefer", ["wait=soon", "wait=-1", "wait", "handling=lenient", '"', ""])
async def test_a_preference_that_means_nothing_is_ignored(
    api: httpx.AsyncClient, prefer: str
) -> None:
    response = await api.post("/tasks", json=ECHO, headers={"Prefer": prefer})
    assert response.status_code == 201
    assert "preference-applied" not in response.headers
