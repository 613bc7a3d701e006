"""Tasks say which schedule has fired them, to callers and to handlers, and are found by it."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from taskq_server.crud.tables import schedule_fires
from taskq_server.domain.ids import IdSource, Mark
from taskq_server.domain.task import Fire, Status
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import Claim
from tests.integration.api.bulk import begin, done, numbers
from tests.integration.api.conftest import Submit
from tests.integration.api.schedules import Answer, fired, made, put, row, seen, write
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.unit.server.factories import NOW, make_tags, make_task, rows_of, seconds, store

FIRE_AT = NOW + seconds(0.25)
NIGHTLY: Answer = {"name": "nightly", "fire_at": "2026-10-05T12:00:00.250000Z"}


async def found(api: httpx.AsyncClient, **wanted: Any) -> list[str]:
    """Return the ids that a list finds on all its pages."""
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        response = await api.get("/tasks", params={"limit": 3, **wanted, **more})
        assert response.status_code == 200, response.text
        ids += [each["id"] for each in response.json()["items"]]
        cursor = response.json()["next_cursor"]
    return ids


async def test_every_answer_with_a_task_says_it(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    (task,) = await fired(runtime.database, "nightly", fire_at=FIRE_AT, payload='{"value": 1}')
    path = f"/tasks/{task.id}"
    other = await submit()
    assert other["schedule"] is None
    assert (await api.get(path)).json()["schedule"] == NIGHTLY
    listed = (await api.get("/tasks")).json()["items"]
    assert {each["id"]: each["schedule"] for each in listed} == {
        str(task.id): NIGHTLY,
        other["id"]: None,
    }
    assert (await api.patch(path, json={"title": "t"})).json()["schedule"] == NIGHTLY
    cancelled = (await api.post(f"{path}/cancel")).json()
    assert (cancelled["status"], cancelled["schedule"]) == ("cancelled", NIGHTLY)
    assert (await api.post(f"{path}/retry")).json()["schedule"] == NIGHTLY
    await worker.succeed(await worker.claim(str(task.id)), 1)
    waited = await api.post("/tasks/wait", json={"ids": [str(task.id)]})
    assert [each["schedule"] for each in waited.json()["items"]] == [NIGHTLY]
    assert (await api.get(path, params={"wait": 5})).json()["schedule"] == NIGHTLY
    events = await api.get(f"{path}/events")
    (data,) = [line for line in events.text.splitlines() if line.startswith("data: ")]
    assert json.loads(data.removeprefix("data: "))["schedule"] == NIGHTLY


async def test_a_random_mark_means_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Ids of before there were marks end at random."""
    task = make_task(id=IdSource()(NOW, Mark.SCHEDULED | Mark.UNIQUE))
    await store(runtime.database, task)
    assert (await api.get(f"/tasks/{task.id}")).json()["schedule"] is None


async def test_a_claim_tells_it_to_the_worker(runtime: Runtime, worker: ScriptedWorker) -> None:
    tasks = await fired(runtime.database, "nightly", fire_at=FIRE_AT, number=3)
    plain = make_task()
    await store(runtime.database, plain)
    claims = await asyncio.gather(*(worker.ask(str(each.id)) for each in [*tasks, plain]))
    told = [each.schedule for each in claims if isinstance(each, Claim)]
    assert told == [
        *(Fire("nightly", FIRE_AT + timedelta(seconds=place)) for place in range(3)),
        None,
    ]


async def test_a_list_finds_the_tasks_of_a_schedule(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    tag = (await make_tags(runtime.database, "old"))["old"]
    await store(runtime.database, *(make_task() for _ in range(5)))
    mine = await fired(runtime.database, "nightly", number=7)
    failed = await fired(runtime.database, "nightly", number=2, status=Status.FAILED)
    theirs = await fired(runtime.database, "code:taskq.echo", number=2)
    await fired(runtime.database, "nightly", number=2, namespace="elsewhere")
    tagged = make_task(id=IdSource()(NOW))
    await store(runtime.database, tagged, tagged={tagged.id: (tag,)})
    newest_first = [str(each.id) for each in reversed([*mine, *failed])]
    assert await found(api, schedule="nightly") == newest_first
    assert await found(api, schedule="nightly", order="created_at") == newest_first[::-1]
    assert await found(api, schedule="nightly", status="failed") == newest_first[:2]
    assert await found(api, schedule="nightly", handler="taskq.sleep") == []
    assert await found(api, schedule="nightly", tag="old") == []
    assert await found(api, schedule="code:taskq.echo") == [str(one.id) for one in theirs[::-1]]
    assert await found(api, schedule="nobody") == []
    refused = await api.get("/tasks", params={"schedule": "a b"})
    assert refused.json()["errors"][0]["pointer"] == "/query/schedule"


@pytest.mark.parametrize("also", [{}, {"status": "queued"}, {"handler": ["taskq.echo"]}])
async def test_a_bulk_operation_changes_the_tasks_of_a_schedule(
    api: httpx.AsyncClient, runtime: Runtime, also: dict[str, Any]
) -> None:
    await store(runtime.database, *(make_task() for _ in range(3)))
    mine = await fired(runtime.database, "nightly", number=205)
    others = await fired(runtime.database, "weekly", number=2)
    operation = await begin(api, "delete", schedule="nightly", **also)
    assert operation["filter"]["schedule"] == "nightly"
    assert numbers(await done(api, runtime, operation)) == (len(mine), len(mine), 0, 0)
    assert await found(api, schedule="nightly") == []
    assert len(await found(api)) == 5
    left = {row["task_id"] for row in await rows_of(runtime.database, schedule_fires)}
    assert left == {each.id for each in others}


async def test_one_is_fired_by_hand(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    task = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": ["b", "a"], "queue": "q"}
    before = await made(api, task=task, paused=True)
    response = await api.post("/schedules/nightly/fire")
    assert response.status_code == 201
    first = response.json()
    assert response.headers["Location"] == f"/tasks/{first['id']}"
    assert response.headers["ETag"] == '"1"'
    assert (first["payload"], first["tags"], first["queue"]) == ({"value": 1}, ["a", "b"], "q")
    assert first["schedule"]["name"] == "nightly"
    assert (await api.get(f"/tasks/{first['id']}")).json() == first
    after = await seen(api)
    assert (after["fired"], after["last_task_id"]) == (1, first["id"])
    assert after["last_fire_at"] == first["schedule"]["fire_at"]
    assert (after["next_fire_at"], after["paused"], after["version"]) == (None, True, 1)
    assert before["version"] == 1
    second = (await api.post("/schedules/nightly/fire")).json()
    assert await found(api, schedule="nightly") == [second["id"], first["id"]]


async def test_one_whose_unique_key_is_taken_is_not_fired(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task = {"handler": "taskq.echo", "payload": {"value": 1}, "unique_key": "report"}
    shown = (await made(api, task=task))["task"]
    assert (shown["unique_key"], shown["on_conflict"]) == ("report", None)
    first = (await api.post("/schedules/nightly/fire")).json()
    assert first["unique_key"] == "report"
    refused = await api.post("/schedules/nightly/fire")
    assert (refused.status_code, refused.json()["code"]) == (409, "unique-conflict")
    assert refused.json()["task"] == {"id": first["id"], "status": "queued"}
    assert (await seen(api))["fired"] == 1


async def test_a_time_that_comes_fires_what_was_set(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    await made(api, cron=None, every_seconds=1)
    next_at = (await seen(api))["next_fire_at"]
    async with asyncio.timeout(60):
        while not (await seen(api))["fired"]:
            await runtime.firing.sweep()
            await asyncio.sleep(0.05)
    (item,) = (await api.get("/tasks", params={"schedule": "nightly"})).json()["items"]
    assert item["schedule"] == {"name": "nightly", "fire_at": next_at}


async def test_one_that_code_declares_is_fired_by_hand(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    await put(api)
    await write(runtime, replace(await row(runtime), name="code:taskq.echo", declaration="a" * 64))
    response = await api.post("/schedules/code:taskq.echo/fire")
    assert (response.status_code, response.json()["schedule"]["name"]) == (201, "code:taskq.echo")
