"""`POST /tasks/wait`, and callers who hang up while they wait."""

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.callers import Caller
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER
from tests.support.log_lines import logged

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"


async def test_as_soon_as_one_is_final(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    ids = [(await submit())["id"] for _ in range(3)]
    waiting = asyncio.create_task(api.post("/tasks/wait", json={"ids": ids, "timeout_seconds": 30}))
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
    wanted = {"ids": [(await submit())["id"], NOBODY], "timeout_seconds": 30}
    response = await api.post("/tasks/wait", json=wanted)
    assert (response.status_code, response.json()["code"]) == (404, "task-not-found")


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"ids": []}, "/ids"),
        ({"ids": [NOBODY.replace("-", "")]}, "/ids/0"),
        ({"ids": [1]}, "/ids/0"),
        ({"ids": [NOBODY] * 1_001}, "/ids"),
        ({"ids": [NOBODY], "timeout_seconds": 61}, "/timeout_seconds"),
        ({"ids": [NOBODY], "timeout_seconds": "1"}, "/timeout_seconds"),
        ({"ids": [NOBODY], "wait": 1}, "/wait"),
        ({}, "/ids"),
    ],
)
async def test_what_cannot_be_waited_for(
    api: httpx.AsyncClient, wanted: dict[str, Any], pointer: str
) -> None:
    response = await api.post("/tasks/wait", json=wanted)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


@pytest.mark.parametrize("path", ["/tasks/wait", "/tasks/{id}", "/tasks"])
async def test_who_hangs_up_is_not_waited_for(
    runtime: Runtime, submit: Submit, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    task_id = (await submit())["id"]
    body = {
        "/tasks/wait": {"ids": [task_id], "timeout_seconds": 60},
        "/tasks/{id}": None,
        "/tasks": {"handler": "taskq.echo", "payload": {"value": 1}},
    }[path]
    caller = Caller(b"" if body is None else json.dumps(body).encode())
    scope = {
        "type": "http",
        "method": "GET" if body is None else "POST",
        "path": path.format(id=task_id),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"prefer", b"wait=60")],
    }
    serving = asyncio.create_task(create_app(runtime=runtime)(scope, caller.receive, caller.send))
    await caller.waits.wait()
    assert not serving.done()
    caller.hangs_up.set()
    async with asyncio.timeout(30):
        await serving
    await runtime.read.get(CALLER, UUID(task_id))  # behind the read that nobody waits for any more
    assert logged(caplog) == []
