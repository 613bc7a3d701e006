"""`GET /tasks/{id}/events`: the states of a task, as they come."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from taskq_server.api import events
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.callers import Caller
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.log_lines import logged

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"


@pytest.fixture
def app(runtime: Runtime) -> ASGIApp:
    return create_app(runtime=runtime)


async def state(caller: Caller) -> dict[str, Any] | None:
    """The next state, with its id checked; None when the stream has ended."""
    while (piece := await caller.piece()) is not None:
        if piece.startswith(b":"):
            continue
        first, second, *rest = piece.decode().split("\n")
        assert rest == ["", ""]
        task: dict[str, Any] = json.loads(second.removeprefix("data: "))
        assert first == f"id: {task['version']}"
        return task
    return None


async def test_the_state_comes_first_and_then_each_change_up_to_the_final_one(
    app: ASGIApp, api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    task = await submit(title="Followed")
    caller = Caller()
    served = caller.get(app, f"/tasks/{task['id']}/events")
    assert await state(caller) == (await api.get(f"/tasks/{task['id']}")).json()
    claimed = await worker.claim(task["id"])
    await worker.report(claimed, {"current": 1, "total": 2, "message": None})
    running = await state(caller)
    assert running is not None
    assert (running["status"], running["progress"]["current"]) == ("running", 1)
    await worker.succeed(claimed, "ok")
    final = await state(caller)
    assert final is not None
    assert (final["status"], final["result"]) == ("succeeded", "ok")
    assert await state(caller) is None
    await served


async def test_a_final_task_is_one_event(api: httpx.AsyncClient, submit: Submit) -> None:
    task_id = (await submit())["id"]
    cancelled = (await api.post(f"/tasks/{task_id}/cancel")).json()
    response = await api.get(f"/tasks/{task_id}/events")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.text.count("id: ") == 1
    assert f"id: {cancelled['version']}\n" in response.text


async def test_who_has_seen_the_final_state_is_told_that_nothing_comes(
    api: httpx.AsyncClient, submit: Submit
) -> None:
    task_id = (await submit())["id"]
    version = (await api.post(f"/tasks/{task_id}/cancel")).json()["version"]
    seen = {"Last-Event-ID": str(version)}
    response = await api.get(f"/tasks/{task_id}/events", headers=seen)
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("seen", ["0", "-1", "x", "²", "9" * 5_000])
async def test_any_other_id_gets_the_state(
    api: httpx.AsyncClient, submit: Submit, seen: str
) -> None:
    task_id = (await submit())["id"]
    await api.post(f"/tasks/{task_id}/cancel")
    headers = {"Last-Event-ID": seen.encode()}
    response = await api.get(f"/tasks/{task_id}/events", headers=headers)
    assert response.text.count("id: ") == 1


async def test_who_resumes_gets_only_what_is_new(
    app: ASGIApp, api: httpx.AsyncClient, submit: Submit
) -> None:
    task = await submit()
    caller = Caller()
    served = caller.get(app, f"/tasks/{task['id']}/events", last_event_id=str(task["version"]))
    assert await caller.piece() is not None  # the first comment: it is served
    await api.post(f"/tasks/{task['id']}/cancel")
    found = await state(caller)
    assert found is not None
    assert found["status"] == "cancelled"
    await served


async def test_it_ends_when_the_time_is_up(api: httpx.AsyncClient, submit: Submit) -> None:
    task_id = (await submit())["id"]
    response = await api.get(f"/tasks/{task_id}/events?timeout_seconds=0.05")
    assert response.text.count("id: ") == 1


async def test_a_comment_shows_that_the_connection_is_alive(
    app: ASGIApp, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.01)
    task_id = (await submit())["id"]
    caller = Caller()
    served = caller.get(app, f"/tasks/{task_id}/events?timeout_seconds=60")
    assert await state(caller) is not None
    assert await caller.piece() == b": alive\n\n"
    assert await caller.piece() == b": alive\n\n"
    caller.hangs_up.set()
    await served


async def test_a_deleted_task_ends_the_stream(
    app: ASGIApp, api: httpx.AsyncClient, submit: Submit
) -> None:
    task_id = (await submit())["id"]
    caller = Caller()
    served = caller.get(app, f"/tasks/{task_id}/events")
    assert await state(caller) is not None
    assert (await api.delete(f"/tasks/{task_id}")).status_code == 204
    assert await state(caller) is None
    await served


async def test_there_must_be_such_a_task(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    response = await api.get(f"/tasks/{NOBODY}/events")
    assert (response.status_code, response.json()["code"]) == (404, "task-not-found")
    response = await api.get(f"/tasks/{NOBODY}/events?wait=1")
    assert response.status_code == 422


async def test_a_stream_ends_when_the_process_stops(
    app: ASGIApp, runtime: Runtime, submit: Submit
) -> None:
    task_id = (await submit())["id"]
    caller = Caller()
    served = caller.get(app, f"/tasks/{task_id}/events")
    assert await state(caller) is not None
    runtime.wait.drain()
    assert await state(caller) is None
    await served


async def test_who_hangs_up_leaves_nothing_behind(
    app: ASGIApp, runtime: Runtime, submit: Submit, caplog: pytest.LogCaptureFixture
) -> None:
    task_id = (await submit())["id"]
    caller = Caller()
    served = caller.get(app, f"/tasks/{task_id}/events")
    assert await state(caller) is not None
    assert runtime.notifier.waiters == 1
    caller.hangs_up.set()
    async with asyncio.timeout(30):
        await served
    assert runtime.notifier.waiters == 0
    assert logged(caplog) == []
