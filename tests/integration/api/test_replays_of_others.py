"""Idempotency keys are one space for all keys of a namespace; what a replay shows is not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scoped import (
    ECHO,
    SECRET,
    assert_in_full,
    assert_outline,
    make_succeeded,
)
from tests.integration.api.scripted_worker import ScriptedWorker

TAGGED = {**ECHO, "tags": ["mine"]}
ONCE = {"Idempotency-Key": "once"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SCOPES = ("tasks:run:taskq.*", "tasks:write")


@pytest.fixture
async def closed(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[httpx.AsyncClient]:
    async with calling_closed(runtime) as client:
        yield client


@pytest.mark.parametrize(
    "prefer",
    [{}, {"Prefer": "the-ordinary-lane"}, {"Prefer": "wait=10"}],
    ids=["fast path", "route", "wait"],
)
async def test_a_replay_of_a_foreign_task_is_an_outline(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, prefer: dict[str, str]
) -> None:
    first, second = await make_key(runtime, *SCOPES), await make_key(runtime, *SCOPES)
    reader = await make_key(runtime, *SCOPES, "tasks:read")
    traced = {**ONCE, **shown(first), "traceparent": TRACE}
    made = await closed.post("/tasks", json=TAGGED, headers=traced)
    assert (made.status_code, made.json()["traceparent"]) == (201, TRACE)
    assert_in_full(made.json())
    await make_succeeded(runtime, worker, made.json()["id"])
    for token in (first, reader, second):
        again = await closed.post("/tasks", json=TAGGED, headers={**ONCE, **shown(token), **prefer})
        assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json()["status"] == "succeeded"
        assert again.json()["traceparent"] == (None if token is second else TRACE)
        if token is second:
            assert_outline(again)
        else:
            assert_in_full(again.json())
    other = {**TAGGED, "title": "another body"}
    refused = await closed.post("/tasks", json=other, headers={**ONCE, **shown(second)})
    assert refused.json()["code"] == "idempotency-mismatch"
    assert SECRET not in refused.text


async def test_a_foreign_task_is_waited_for(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    first, second = await make_key(runtime, *SCOPES), await make_key(runtime, *SCOPES)
    made = await closed.post("/tasks", json=TAGGED, headers={**ONCE, **shown(first)})
    waited = {**ONCE, **shown(second), "Prefer": "wait=0"}
    again = await closed.post("/tasks", json=TAGGED, headers=waited)
    assert assert_outline(again)["status"] == "queued"
    assert again.headers["Preference-Applied"] == "wait=0"
    now = asyncio.get_running_loop().time
    asked_at = now()
    again = await closed.post("/tasks", json=TAGGED, headers={**waited, "Prefer": "wait=1"})
    assert (assert_outline(again)["status"], now() - asked_at > 0.9) == ("queued", True)
    await worker.succeed(await worker.claim(made.json()["id"]), SECRET)
    again = await closed.post("/tasks", json=TAGGED, headers={**waited, "Prefer": "wait=10"})
    assert assert_outline(again)["status"] == "succeeded"


async def test_a_replay_of_a_batch_shows_own_tasks_only(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    first, second = await make_key(runtime, *SCOPES), await make_key(runtime, *SCOPES)
    body = {"items": [TAGGED] * 3}

    async def submit(token: Any, **headers: str) -> httpx.Response:
        return await closed.post(
            "/tasks/batch", json=body, headers={**ONCE, **shown(token), **headers}
        )

    made = (await submit(first)).json()["items"]
    for task in made[:2]:
        await make_succeeded(runtime, worker, task["id"])
    await closed.delete(f"/tasks/{made[2]['id']}", headers=shown(first))
    again = await submit(second)
    assert again.status_code == 200
    *foreign, own = again.json()["items"]
    assert [task["id"] for task in foreign] == [task["id"] for task in made[:2]]
    for task in foreign:
        assert (task["payload"], task["result"], task["errors"]) == ({}, None, [])
        assert task["status"] == "succeeded"
    assert_in_full(own)  # the third task had been deleted, so it is stored anew, by this caller
    assert again.text.count(SECRET) == 1
    refs = await submit(second, Prefer="return=minimal")
    assert [set(each) for each in refs.json()["items"]] == [{"id"}] * 3
