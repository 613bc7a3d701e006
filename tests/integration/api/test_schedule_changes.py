"""Schedules are set and changed over HTTP, and what cannot be, or is outdated, is refused."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from taskq_server.domain import limits
from taskq_server.runtime import Runtime
from tests.integration.api.schedules import ECHO, made, problem, put, row, seen, write

pytestmark = pytest.mark.usefixtures("worker")


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
