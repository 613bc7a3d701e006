"""`POST /tasks/wait`, and callers who hang up while they wait."""

import asyncio
import logging
from typing import Any
from uuid import uuid4

import httpx
import pytest

from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.played import PlayedWorker


async def test_as_soon_as_one_is_final(
    api: httpx.AsyncClient, submit: Submit, worker: PlayedWorker
) -> None:
    ids = [(await submit())["id"] for _ in range(3)]
    waiting = asyncio.create_task(
        api.post("/tasks/wait", json={"ids": ids, "timeout_seconds": 30})
    )
    claimed = await worker.claim(ids[1])
    assert not waiting.done()
    await worker.succeed(claimed, "ok")
    response = await waiting
    assert response.status_code == 200
    (task,) = response.json()["items"]
    assert (task["id"], task["result"]) == (ids[1], "ok")


async def test_all_that_are_final_at_once(api: httpx.AsyncClient, submit: Submit) -> None:
    ids = [(await submit())["id"] for _ in range(3)]
    for task_id in ids[:2]:
        await api.post(f"/tasks/{task_id}/cancel")
    wanted = {"ids": [*ids, ids[0]], "timeout_seconds": 30}
    items = (await api.post("/tasks/wait", json=wanted)).json()["items"]
    assert [task["id"] for task in items] == ids[:2]


async def test_none_when_the_time_is_up(api: httpx.AsyncClient, submit: Submit) -> None:
    wanted = {"ids": [(await submit())["id"]], "timeout_seconds": 0.05}
    response = await api.post("/tasks/wait", json=wanted)
    assert (response.status_code, response.json()) == (200, {"items": []})


async def test_an_id_that_nobody_has(api: httpx.AsyncClient, submit: Submit) -> None:
    wanted = {"ids": [(await submit())["id"], str(uuid4())], "timeout_seconds": 30}
    response = await api.post("/tasks/wait", json=wanted)
    assert (response.status_code, response.json()["code"]) == (404, "task-not-found")


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"ids": []}, "/ids"),
        ({"ids": [uuid4().hex]}, "/ids/0"),
        ({"ids": [1]}, "/ids/0"),
        ({"ids": [str(uuid4())] * 1_001}, "/ids"),
        ({"ids": [str(uuid4())], "timeout_seconds": 61}, "/timeout_seconds"),
        ({"ids": [str(uuid4())], "timeout_seconds": "1"}, "/timeout_seconds"),
        ({"ids": [str(uuid4())], "wait": 1}, "/wait"),
        ({}, "/ids"),
    ],
)
async def test_what_cannot_be_waited_for(
    runtime: Runtime, wanted: dict[str, Any], pointer: str
) -> None:
    settings = runtime.settings.model_copy(update={"max_body_bytes": 1_000_000})
    roomy = create_app(runtime=dataclass_with(runtime, settings=settings))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(roomy), base_url="http://taskq"
    ) as client:
        response = await client.post("/tasks/wait", json=wanted)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
