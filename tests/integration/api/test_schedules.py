"""Schedules over HTTP: listed, paused and deleted, and who may do so."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from taskq_server.domain.scopes import EVERYTHING
from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.schedules import NIGHTLY, fired, made, problem, put, row, seen, write
from tests.integration.api.scoped import publish_in
from tests.integration.api.scripted_worker import ScriptedWorker

pytestmark = pytest.mark.usefixtures("worker")


async def declared(runtime: Runtime, api: httpx.AsyncClient) -> str:
    """Store a schedule as code declares one, and return its name."""
    await made(api)
    name = "code:taskq.echo"
    await write(runtime, replace(await row(runtime), name=name, declaration="a" * 64))
    return name


async def test_pages_go_by_name_and_filters(api: httpx.AsyncClient) -> None:
    names = ["A", "a", "a.1", "b-2", "z_9"]
    for name in reversed(names):
        await made(api, name)
    await made(api, "sleepy", task={"handler": "taskq.sleep", "payload": {"seconds": 1}})
    await api.post("/schedules/b-2/pause")

    async def pages(**wanted: str) -> list[list[str]]:
        found, cursor = [], ""
        while True:
            more = {"cursor": cursor} if cursor else {}
            response = await api.get("/schedules", params={"limit": "2", **wanted, **more})
            assert response.status_code == 200, response.text
            found.append([each["name"] for each in response.json()["items"]])
            cursor = response.json()["next_cursor"]
            assert ("Link" in response.headers) == (cursor is not None)
            if cursor is None:
                return found

    assert await pages() == [["A", "a"], ["a.1", "b-2"], ["sleepy", "z_9"]]
    assert await pages(handler="taskq.echo") == [["A", "a"], ["a.1", "b-2"], ["z_9"]]
    assert await pages(handler="taskq.sleep") == [["sleepy"]]
    assert await pages(paused="true") == [["b-2"]]
    assert await pages(paused="false", handler="taskq.echo") == [["A", "a"], ["a.1", "z_9"]]
    assert await pages(handler="nobody") == [[]]
    cursor = (await api.get("/schedules", params={"limit": 2})).json()["next_cursor"]
    for wanted in ({"cursor": cursor, "paused": "false"}, {"cursor": "x"}, {"cursor": "ä"}):
        response = await api.get("/schedules", params=wanted)
        assert problem(response) == (422, "invalid-cursor", [])
    response = await api.get("/schedules", params={"paused": "1"})
    assert problem(response)[2] == [("/query/paused", "invalid-value")]


async def test_a_pause_and_a_resume_are_idempotent(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await made(api)
    waiting = datetime(2026, 1, 1, tzinfo=UTC)
    await write(runtime, replace(await row(runtime), queued_fire_at=waiting))
    paused = (await api.post("/schedules/nightly/pause")).json()
    assert (paused["paused"], paused["next_fire_at"], paused["version"]) == (True, None, 2)
    assert paused["skipped"] == 1, "the time that waited is given up"
    assert (await row(runtime)).due_at is None
    assert (await api.post("/schedules/nightly/pause", json={})).json() == paused
    noted = (await api.post("/schedules/nightly/pause", json={"note": "why"})).json()
    assert (noted["note"], noted["paused_at"], noted["version"]) == ("why", paused["paused_at"], 3)
    resumed = (await api.post("/schedules/nightly/resume")).json()
    assert (resumed["paused"], resumed["paused_at"], resumed["note"]) == (False, None, None)
    assert resumed["next_fire_at"] is not None
    assert (await row(runtime)).due_at is not None
    assert (await api.post("/schedules/nightly/resume")).json() == resumed


async def test_one_whose_zone_is_gone_says_so(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """As a new version of the time zones may do; what can be done about it still can."""
    await made(api, paused=True)
    await write(runtime, replace(await row(runtime), timezone="Mars/Base"))
    refused = await api.post("/schedules/nightly/resume")
    assert problem(refused) == (422, "invalid-schedule", [("/timezone", "invalid-schedule")])
    patch = await api.patch("/schedules/nightly", json={"note": "x"})
    assert problem(patch) == (422, "unknown-timezone", [("/timezone", "unknown-timezone")])
    body = {"timezone": "UTC", "paused": False}
    assert (await api.patch("/schedules/nightly", json=body)).status_code == 200


async def test_a_deleted_one_is_gone_and_its_tasks_stay(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await made(api)
    (task,) = await fired(runtime.database, "nightly")
    assert (await api.delete("/schedules/nightly")).status_code == 204
    assert problem(await api.delete("/schedules/nightly")) == (404, "schedule-not-found", [])
    found = (await api.get("/tasks", params={"schedule": "nightly"})).json()["items"]
    assert [each["id"] for each in found] == [str(task.id)]


async def test_what_code_declares_only_code_changes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    name = await declared(runtime, api)
    path = f"/schedules/{name}"
    assert (await seen(api, name))["declared"] is True
    for response in (
        await api.put(path, json=NIGHTLY),
        await api.put("/schedules/code:another/one", json=NIGHTLY),
        await api.patch(path, json={"note": "x"}),
        await api.delete(path),
    ):
        assert problem(response) == (409, "declared-in-code", [])
    paused = (await api.post(f"{path}/pause", json={"note": "not now"})).json()
    assert (paused["paused"], paused["declared"]) == (True, True)
    assert (await api.post(f"{path}/resume")).json()["paused"] is False


async def test_namespaces_have_schedules_of_their_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await publish_in(runtime, "theirs")
    await made(api)
    async with calling_closed(runtime) as closed:
        theirs = shown(await make_key(runtime, *EVERYTHING, namespace="theirs"))
        assert (await closed.get("/schedules", headers=theirs)).json()["items"] == []
        other = await put(closed, cron="0 5 * * *", headers=theirs)
        assert other.status_code == 201
        assert (await seen(api))["cron"] == "0 3 * * *"
        assert (await closed.delete("/schedules/nightly", headers=theirs)).status_code == 204
        assert problem(await closed.get("/schedules/nightly", headers=theirs))[0] == 404
    assert (await seen(api))["version"] == 1


async def test_who_may_not_read_gets_outlines(runtime: Runtime) -> None:
    secret = "what nobody else shall read"
    task = {"handler": "taskq.echo", "payload": {"value": secret}, "priority": "high"}
    async with calling_closed(runtime) as closed:
        key = await make_key(runtime, "tasks:operate", "tasks:run:*")
        own = shown(key)
        other = shown(await make_key(runtime, "tasks:operate", "tasks:run:taskq.echo"))
        reader = shown(await make_key(runtime, *EVERYTHING))
        first = await made(closed, task=task, headers=own)
        assert first["task"]["payload"] == {"value": secret}
        for response in (
            await closed.post("/schedules/nightly/pause", headers=other),
            await closed.post("/schedules/nightly/resume", headers=other),
            await closed.patch("/schedules/nightly", json={}, headers=other),
            await closed.post("/schedules/nightly/fire", headers=other),
        ):
            assert response.status_code in (200, 201), response.text
            assert secret not in response.text
        assert (await closed.get(response.headers["Location"], headers=other)).status_code == 404
        fired_task = (await closed.get(response.headers["Location"], headers=own)).json()
        assert fired_task["payload"] == {"value": secret}, "it is a task of the schedule's key"
        for answer in (
            await closed.post("/schedules/nightly/pause", headers=own),
            await closed.get("/schedules/nightly", headers=reader),
            await closed.post("/schedules/nightly/fire", headers=reader),
        ):
            assert secret in answer.text


async def test_who_sets_one_needs_the_right_to_run_and_leaves_it_there(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with calling_closed(runtime) as closed:
        sleepy = shown(await make_key(runtime, "tasks:operate", "tasks:run:taskq.sleep"))
        key = await make_key(runtime, "tasks:operate", "tasks:run:taskq.e*")
        mine = shown(key)
        refused = [("/task/handler", "missing-scope")]
        assert problem(await put(closed, headers=sleepy)) == (403, "forbidden", refused)
        first = await made(closed, headers=mine)
        assert first["key_id"] == key.id
        assert (await row(runtime)).globs == ("tasks:run:taskq.e*",)
        patch = await closed.patch("/schedules/nightly", json={"note": "x"}, headers=sleepy)
        assert problem(patch) == (403, "forbidden", refused)
        assert problem(await closed.get("/schedules/nightly", headers=mine))[0] == 403
        other = await make_key(runtime, "tasks:operate", "tasks:run:*")
        same = await put(closed, headers=shown(other))
        assert same.json() == first, "nothing changes, and so its rights stay"
        taken = await put(closed, cron="0 4 * * *", headers=shown(other))
        assert taken.json()["key_id"] == other.id
        assert (await row(runtime)).globs == ("tasks:run:*",)
        plain = shown(await make_key(runtime, "tasks:operate"))
        assert (await closed.post("/schedules/nightly/pause", headers=plain)).status_code == 200
        assert (await closed.delete("/schedules/nightly", headers=plain)).status_code == 204
