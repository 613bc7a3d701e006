"""Schedules over HTTP: set, changed, listed, paused and deleted."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from taskq_server.domain import limits
from taskq_server.domain.scopes import EVERYTHING
from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.schedules import ECHO, NIGHTLY, fired, made, put, row, seen, write
from tests.integration.api.scoped import publish_in
from tests.integration.api.scripted_worker import ScriptedWorker

pytestmark = pytest.mark.usefixtures("worker")


def problem(response: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    body = response.json()
    found = [(each["pointer"], each["code"]) for each in body["errors"]]
    return response.status_code, body["code"], found


async def declared(runtime: Runtime, api: httpx.AsyncClient) -> str:
    """Store a schedule as code declares one, and return its name."""
    await made(api)
    name = "code:taskq.echo"
    await write(runtime, replace(await row(runtime), name=name, declaration="a" * 64))
    return name


async def test_a_new_one_has_all_defaults(api: httpx.AsyncClient, runtime: Runtime) -> None:
    before = runtime.clock()
    response = await put(api)
    assert response.status_code == 201
    assert response.headers["Location"] == "/schedules/nightly"
    assert response.headers["ETag"] == '"1-0"'
    schedule = response.json()
    next_at = datetime.fromisoformat(schedule.pop("next_fire_at"))
    assert before < next_at <= before + timedelta(days=1)
    assert (next_at.hour, next_at.minute, next_at.second) == (3, 0, 0)
    assert schedule.pop("created_at") == schedule.pop("updated_at")
    left_out = (
        *("title", "description", "priority", "tags", "queue", "timeout_seconds", "max_retries"),
        *("backoff_base_seconds", "backoff_max_seconds", "keep_seconds"),
        *("unique_key", "on_conflict"),
    )
    task = schedule.pop("task")
    assert {name: task[name] for name in left_out} == dict.fromkeys(left_out)
    assert (task["handler"], task["payload"]) == (ECHO["handler"], ECHO["payload"])
    assert schedule == {
        "name": "nightly",
        "cron": "0 3 * * *",
        "every_seconds": None,
        "timezone": "UTC",
        "overlap": "skip",
        "catch_up": "last",
        "catch_up_seconds": 86_400,
        "jitter_seconds": 0,
        "starts_at": None,
        "ends_at": None,
        "paused": False,
        "paused_at": None,
        "note": None,
        "declared": False,
        "last_fire_at": None,
        "last_task_id": None,
        "fired": 0,
        "skipped": 0,
        "missed": 0,
        "last_error": None,
        "key_id": None,
        "version": 1,
    }


async def test_what_is_so_already_keeps_its_version(api: httpx.AsyncClient) -> None:
    given: dict[str, Any] = {
        "every_seconds": 60,
        "cron": None,
        "task": {**ECHO, "tags": ["b", "a"], "priority": "high", "keep_seconds": 3600},
        "jitter_seconds": 5.5,
        "starts_at": "2030-01-01T01:00:00+01:00",
        "note": "why",
    }
    first = await made(api, **given)
    again = await put(api, **{**given, "starts_at": "2030-01-01T00:00:00Z"})
    assert again.status_code == 200
    assert again.json() == first
    assert first["next_fire_at"] == "2030-01-01T00:00:00Z"
    changed = await put(api, **{**given, "overlap": "allow"})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.headers["ETag"] == '"2-0"'
    assert changed.json()["next_fire_at"] == first["next_fire_at"]


async def test_a_replacement_keeps_counts_and_what_people_have_paused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await made(api)
    await write(runtime, replace(await row(runtime), fired=7, missed=2))
    paused = (await api.post("/schedules/nightly/pause", json={"note": "the printer"})).json()
    replaced = (await put(api, cron="0 4 * * *")).json()
    assert (replaced["fired"], replaced["missed"], replaced["version"]) == (7, 2, 3)
    assert (replaced["paused"], replaced["note"]) == (True, "the printer")
    assert replaced["paused_at"] == paused["paused_at"]
    assert replaced["next_fire_at"] is None
    resumed = (await put(api, cron="0 4 * * *", paused=False, note=None)).json()
    assert (resumed["paused"], resumed["paused_at"], resumed["note"]) == (False, None, None)
    assert "T04:00:00" in resumed["next_fire_at"]


@pytest.mark.parametrize(
    ("given", "code", "pointers"),
    [
        ({"cron": "0 25 * * *"}, "invalid-schedule", [("/cron", "invalid-schedule")]),
        ({"cron": "0 0 * * * *"}, "invalid-schedule", [("/cron", "invalid-schedule")]),
        ({"cron": None}, "invalid-schedule", [("/cron", "invalid-schedule")]),
        ({"every_seconds": 60}, "invalid-schedule", [("/every_seconds", "invalid-schedule")]),
        ({"timezone": "Mars/Base"}, "unknown-timezone", [("/timezone", "unknown-timezone")]),
        (
            {"cron": "x", "timezone": "Mars/Base"},
            "invalid-schedule",
            [("/cron", "invalid-schedule"), ("/timezone", "unknown-timezone")],
        ),
        (
            {"starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"},
            "invalid-schedule",
            [("/ends_at", "invalid-schedule")],
        ),
        (
            {"task": {"handler": "nobody.knows"}},
            "unknown-handler",
            [("/task/handler", "unknown-handler")],
        ),
        (
            {"task": {"handler": "taskq.sleep", "payload": {"seconds": "long"}}},
            "invalid-payload",
            [("/task/payload/seconds", "invalid-payload")],
        ),
        (
            {"task": {**ECHO, "payload": {"value": "x" * 2_000}}},
            "invalid-request",
            [("/task/payload", "payload-too-large")],
        ),
        (
            {"task": {**ECHO, "on_conflict": "reject"}},
            "invalid-request",
            [("/task/on_conflict", "without-unique-key")],
        ),
        ({"task": None}, "invalid-request", [("/task", "not-an-object")]),
        ({"task": {}}, "invalid-request", [("/task/handler", "missing")]),
        (
            {"task": {**ECHO, "run_at": "2030-01-01T00:00:00Z"}},
            "invalid-request",
            [("/task/run_at", "unknown-field")],
        ),
        ({"overlap": "perhaps"}, "invalid-request", [("/overlap", "not-one-of")]),
        ({"jitter_seconds": -1}, "invalid-request", [("/jitter_seconds", "greater-than-equal")]),
        (
            {"cron": None, "every_seconds": 0.5},
            "invalid-request",
            [("/every_seconds", "greater-than-equal")],
        ),
        ({"paused": "yes"}, "invalid-request", [("/paused", "bool-type")]),
        ({"colour": "blue"}, "invalid-request", [("/colour", "unknown-field")]),
    ],
)
async def test_what_cannot_be_says_where(
    api: httpx.AsyncClient, given: dict[str, Any], code: str, pointers: list[tuple[str, str]]
) -> None:
    assert problem(await put(api, **given)) == (422, code, pointers)
    assert problem(await api.get("/schedules/nightly")) == (404, "schedule-not-found", [])


@pytest.mark.parametrize("name", ["preview", "a" * 129, "a%20b", "code:", "a:b", "%2e"])
async def test_names_that_cannot_be(api: httpx.AsyncClient, name: str) -> None:
    status, code, pointers = problem(await put(api, name))
    assert (status, code, [where for where, _ in pointers]) == (
        422,
        "invalid-request",
        ["/path/name"],
    )


async def test_versions_are_compared_before_anything_is_written(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    tag = (await put(api)).headers["ETag"]
    changed = await put(api, cron="0 4 * * *", headers={"If-Match": tag})
    assert changed.status_code == 200
    for response in (
        await put(api, cron="0 5 * * *", headers={"If-Match": tag}),
        await put(api, "other", headers={"If-Match": "*"}),
        await put(api, cron="0 5 * * *", headers={"If-None-Match": "*"}),
        await api.patch(
            "/schedules/nightly", json={"cron": "0 5 * * *"}, headers={"If-Match": tag}
        ),
    ):
        assert problem(response) == (412, "version-mismatch", [])
    assert (await put(api, "other", headers={"If-None-Match": "*"})).status_code == 201
    # A time that passes is no change of what callers have said.
    await write(runtime, replace(await row(runtime), fired=1))
    body = {"note": "a"}
    for tag in ('"2"', changed.headers["ETag"]):
        answer = await api.patch("/schedules/nightly", json=body, headers={"If-Match": tag})
        assert answer.status_code == 200
        body = {"note": "a"}
        await write(runtime, replace(await row(runtime), version=2))


async def test_who_has_this_state_gets_304(api: httpx.AsyncClient, runtime: Runtime) -> None:
    tag = (await put(api)).headers["ETag"]
    known = await api.get("/schedules/nightly", headers={"If-None-Match": f"W/{tag}"})
    assert (known.status_code, known.headers["ETag"], known.content) == (304, tag, b"")
    await write(runtime, replace(await row(runtime), skipped=1))
    answer = await api.get("/schedules/nightly", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()["skipped"]) == (200, 1)


async def test_a_patch_merges_down_to_the_payload(api: httpx.AsyncClient) -> None:
    task = {
        "handler": "taskq.echo",
        "payload": {"value": {"a": 1, "b": {"c": 2}}},
        "priority": "high",
    }
    first = await made(api, task=task, note="old", overlap="queue")
    patch = {
        "cron": None,
        "every_seconds": 90,
        "note": None,
        "task": {"payload": {"value": {"a": None, "b": {"d": 3}}}, "priority": None, "queue": "q"},
    }
    response = await api.patch(
        "/schedules/nightly",
        json=patch,
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert response.status_code == 200, response.text
    after = response.json()
    assert (after["cron"], after["every_seconds"], after["note"]) == (None, 90, None)
    assert (after["overlap"], after["version"]) == ("queue", 2)
    assert after["task"]["payload"] == {"value": {"b": {"c": 2, "d": 3}}}
    assert (after["task"]["priority"], after["task"]["queue"]) == (None, "q")
    assert after["created_at"] == first["created_at"]
    for nothing in ({}, {"task": {}}, {"every_seconds": 90}, {"task": {"queue": "q"}}):
        same = await api.patch("/schedules/nightly", json=nothing)
        assert (same.status_code, same.json()) == (200, after)


@pytest.mark.parametrize(
    ("patch", "status", "code", "pointers"),
    [
        ({"every_seconds": 5}, 422, "invalid-schedule", [("/every_seconds", "invalid-schedule")]),
        ({"cron": None}, 422, "invalid-schedule", [("/cron", "invalid-schedule")]),
        ({"task": None}, 422, "invalid-request", [("/task", "invalid-value")]),
        ({"task": {"handler": None}}, 422, "invalid-request", [("/task/handler", "string-type")]),
        (
            {"task": {"handler": "nobody"}},
            422,
            "unknown-handler",
            [("/task/handler", "unknown-handler")],
        ),
        ({"name": "x"}, 422, "invalid-request", [("/name", "unknown-field")]),
    ],
)
async def test_a_patch_is_checked_as_a_whole(
    api: httpx.AsyncClient,
    patch: dict[str, Any],
    status: int,
    code: str,
    pointers: list[tuple[str, str]],
) -> None:
    before = await made(api)
    response = await api.patch("/schedules/nightly", json=patch)
    assert problem(response) == (status, code, pointers)
    assert await seen(api) == before


async def test_of_patches_at_once_none_is_lost(api: httpx.AsyncClient) -> None:
    await made(api)
    fields: list[dict[str, Any]] = [
        {"note": "n"},
        {"overlap": "allow"},
        {"catch_up": "none"},
        {"task": {"title": "t"}},
        {"jitter_seconds": 3},
    ]
    answers = await asyncio.gather(
        *(api.patch("/schedules/nightly", json=field) for field in fields)
    )
    assert {each.status_code for each in answers} == {200}
    after = await seen(api)
    assert after["version"] == 1 + len(fields)
    assert (after["note"], after["overlap"], after["catch_up"]) == ("n", "allow", "none")
    assert (after["task"]["title"], after["jitter_seconds"]) == ("t", 3)


async def test_of_many_who_make_one_only_one_has_made_it(api: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(put(api) for _ in range(8)))
    assert sorted(each.status_code for each in answers) == [*[200] * 7, 201]
    assert {each.json()["version"] for each in answers} == {1}


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


async def test_there_is_a_bound(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCHEDULES", 2)
    await made(api, "one")
    await made(api, "two")
    assert problem(await put(api, "three")) == (
        422,
        "quota-exceeded",
        [("/path/name", "quota-exceeded")],
    )
    assert (await put(api, "two", cron="0 9 * * *")).status_code == 200


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
