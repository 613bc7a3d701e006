"""Unique keys: at most one task of a key waits or runs, and a submit says what to do about it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import event

from taskq_server.domain.events import TaskChanged
from taskq_server.domain.task import Priority, score
from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.fleet import scrape, values
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.unique import ECHO, check_keys, held, held_by, post, stored
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("worker")

LATER = {"run_at": "2100-01-01T00:00:00Z"}
LANES = [{}, {"Prefer": "the-ordinary-lane"}]


@pytest.mark.parametrize("lane", LANES, ids=["fast path", "route"])
async def test_a_key_has_one_task_at_a_time(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, lane: dict[str, str]
) -> None:
    first = await stored(api)
    assert first["unique_key"] == "customer 7"
    assert held_by(await post(api, lane, payload={"value": 2}), first) == first
    assert await held(runtime) == {UUID(first["id"])}
    running = await worker.claim(first["id"])
    assert held_by(await post(api, lane), first)["status"] == "running"
    await worker.succeed(running, 1)
    assert await held(runtime) == set()
    second = await stored(api)
    assert second["id"] != first["id"]
    assert (await api.get(f"/tasks/{first['id']}")).json()["unique_key"] == "customer 7"
    assert await stored(api, unique_key="customer 8")
    await check_keys(runtime)


async def test_tasks_without_a_key_pay_nothing(
    api: httpx.AsyncClient, runtime: Runtime, submit: Submit, worker: ScriptedWorker
) -> None:
    said: list[str] = []
    engine = runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    task = await submit()
    assert task["unique_key"] is None
    await worker.succeed(await worker.claim(task["id"]), 1)
    other = await submit()
    await api.post(f"/tasks/{other['id']}/cancel")
    await api.post(f"/tasks/{other['id']}/retry")
    await api.delete(f"/tasks/{other['id']}")
    assert said
    assert not [each for each in said if "unique_keys" in each]


async def test_keys_differ_by_each_character(api: httpx.AsyncClient, runtime: Runtime) -> None:
    keys = ["a", "A", "á", "a\u0301", "ｱ", "ア", "😀", "x" * 128]
    for key in keys:
        assert (await stored(api, unique_key=key))["unique_key"] == key
    assert len(await held(runtime)) == len(keys)
    await check_keys(runtime)


@pytest.mark.parametrize("lane", LANES, ids=["fast path", "route"])
@pytest.mark.parametrize(
    ("given", "pointer", "code"),
    [
        ({"unique_key": ""}, "/unique_key", "string-too-short"),
        ({"unique_key": "x" * 129}, "/unique_key", "string-too-long"),
        ({"unique_key": " edge"}, "/unique_key", "string-pattern-mismatch"),
        ({"unique_key": "new\nline"}, "/unique_key", "string-pattern-mismatch"),
        ({"unique_key": 7}, "/unique_key", "string-type"),
        ({"on_conflict": "wait"}, "/on_conflict", "not-one-of"),
        ({"unique_key": None, "on_conflict": "reject"}, "/on_conflict", "without-unique-key"),
    ],
)
async def test_what_is_no_key_is_refused(
    api: httpx.AsyncClient,
    lane: dict[str, str],
    given: dict[str, object],
    pointer: str,
    code: str,
) -> None:
    refused = await post(api, lane, **given)
    assert refused.status_code == 422
    assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [(pointer, code)]


async def test_a_replacement_is_as_a_change(api: httpx.AsyncClient, runtime: Runtime) -> None:
    first = await stored(api, title="first", priority="high", **LATER)
    told: list[TaskChanged] = []
    with runtime.after_commit.listening(told.extend):
        answer = await post(
            api, payload={"value": 2}, title="other", on_conflict="replace", delay_seconds=60
        )
    found = held_by(answer, first)
    assert (found["payload"], found["version"]) == ({"value": 2}, first["version"] + 1)
    assert (found["title"], found["priority"], found["status"]) == ("first", "high", "queued")
    due = datetime.fromisoformat(found["run_at"])
    assert due - datetime.now(UTC) < timedelta(seconds=61)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    (change,) = told
    assert change.before is not None
    assert change.after is not None
    assert (change.before.version, change.after.version) == (1, 2)
    assert change.after.score == score(due, Priority.HIGH)
    again = held_by(await post(api, on_conflict="replace"), first)
    assert again["version"] == 3
    assert again["run_at"] is not None
    await check_keys(runtime)


async def test_a_task_that_runs_is_not_replaced(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    first = await stored(api)
    running = await worker.claim(first["id"])
    found = held_by(await post(api, payload={"value": 2}, on_conflict="replace"), first)
    assert (found["payload"], found["status"]) == ({"value": 1}, "running")
    await worker.fail(running)
    found = held_by(await post(api, payload={"value": 3}, on_conflict="replace"), first)
    assert (found["payload"], found["status"]) == ({"value": 3}, "retrying")
    assert (await worker.claim(first["id"])).payload == '{"value":3}'


async def test_a_task_of_another_handler_is_not_replaced(api: httpx.AsyncClient) -> None:
    first = await stored(api)
    sleep = {"handler": "taskq.sleep", "payload": {"seconds": 1}}
    refused = await post(api, **sleep, on_conflict="replace")
    assert (refused.status_code, refused.json()["code"]) == (409, "unique-conflict")
    assert "its handler is taskq.echo" in refused.json()["detail"]
    assert held_by(await post(api, **sleep), first)["payload"] == {"value": 1}


@pytest.mark.parametrize("lane", LANES, ids=["fast path", "route"])
async def test_a_submit_is_rejected(
    api: httpx.AsyncClient, worker: ScriptedWorker, lane: dict[str, str]
) -> None:
    first = await stored(api, on_conflict="reject")
    for status in ("queued", "running"):
        refused = await post(api, lane, on_conflict="reject")
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (409, "unique-conflict")
        assert problem["task"] == {"id": first["id"], "status": status}
        assert [one["pointer"] for one in problem["errors"]] == ["/unique_key"]
        assert first["id"] in problem["detail"]
        if status == "queued":
            await worker.claim(first["id"])


async def test_other_problems_have_no_task(api: httpx.AsyncClient) -> None:
    assert "task" not in (await api.get(f"/tasks/{UUID(int=1)}")).json()


async def test_who_may_not_read_the_holder_gets_its_id_and_its_status(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    scopes = ("tasks:run:taskq.*", "tasks:write")
    first, second = await make_key(runtime, *scopes), await make_key(runtime, *scopes)
    reader = await make_key(runtime, *scopes, "tasks:read")
    async with calling_closed(runtime) as client:
        made = await post(client, shown(first), title="secret")
        task = {"id": made.json()["id"], "status": "queued"}
        for prefer in ({}, {"Prefer": "wait=0"}):
            for how in ("return", "replace"):
                found = await post(client, {**shown(second), **prefer}, on_conflict=how)
                assert held_by(found, task) == task
                assert "ETag" not in found.headers, "it tells how often the task has changed"
        refused = await post(client, shown(second), on_conflict="reject")
        assert refused.json()["task"] == task
        assert "secret" not in refused.text
        for token in (first, reader):
            assert held_by(await post(client, shown(token)), task)["title"] == "secret"
        batch = {"items": [ECHO, {**ECHO, "unique_key": "free"}]}
        answer = await client.post("/tasks/batch", json=batch, headers=shown(second))
        assert answer.status_code == 201, answer.text
        assert answer.headers["Unique-Conflict"] == "true"
        assert answer.json()["items"][0] == task
        assert answer.json()["items"][1]["unique_key"] == "free"


async def test_a_submit_waits_for_the_holder(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    first = await stored(api)
    running = await worker.claim(first["id"])
    waiting = asyncio.create_task(post(api, {"Prefer": "wait=60"}))
    await eventually(lambda: is_counted(api), "the submit meets the holder")
    await worker.succeed(running, 1)
    found = held_by(await waiting, first)
    assert (found["status"], found["result"]) == ("succeeded", 1)


async def is_counted(api: httpx.AsyncClient) -> bool:
    return ("conflict",) in values(await scrape(api), "taskq_submits_total", "result")


async def test_a_conflict_is_a_result_of_its_own(api: httpx.AsyncClient) -> None:
    await stored(api)
    for how in ("return", "replace", "reject"):
        await post(api, on_conflict=how)
    await api.post("/tasks/batch", json={"items": [ECHO, {**ECHO, "unique_key": "b"}, ECHO]})
    found = values(await scrape(api), "taskq_submits_total", "result")
    assert found == {("created",): 2, ("conflict",): 4, ("refused",): 1}


async def test_the_idempotency_key_is_looked_at_first(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    once, other = {"Idempotency-Key": "once"}, {"Idempotency-Key": "other"}
    first = (await post(api, once)).json()
    for how in ("return", "replace", "reject"):
        mismatch = await post(api, once, on_conflict=how)
        assert mismatch.json()["code"] == "idempotency-mismatch", how
    again = await post(api, once)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Unique-Conflict" not in again.headers
    held_by(await post(api, other), first)
    await worker.succeed(await worker.claim(first["id"]), 1)
    # It has ended: its idempotency key still leads to it, while its unique key is free.
    again = await post(api, once)
    assert (again.json()["id"], again.json()["status"]) == (first["id"], "succeeded")
    assert await held(runtime) == set()
    second = await post(api, other)
    assert second.status_code == 201  # what was answered with another task is not remembered
    again = await post(api, once)
    assert again.json()["id"] == first["id"]
    assert await held(runtime) == {UUID(second.json()["id"])}
    await check_keys(runtime)


async def test_in_one_group_each_submit_gets_its_own_answer(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """All in one group commit: equal keys, equal idempotency keys, both, and neither."""
    first = (await post(api, {"Idempotency-Key": "known"}, unique_key="taken")).json()
    answers = await asyncio.gather(
        post(api, {"Idempotency-Key": "known"}, unique_key="taken"),
        post(api, unique_key="taken"),
        post(api, unique_key="taken", on_conflict="reject"),
        post(api, unique_key="new", payload={"value": 1}),
        post(api, unique_key="new", payload={"value": 2}, on_conflict="replace"),
        post(api, {"Idempotency-Key": "twice"}, unique_key="twice"),
        post(api, {"Idempotency-Key": "twice"}, unique_key="twice"),
        post(api, {"Idempotency-Key": "apart"}, unique_key="left"),
        post(api, {"Idempotency-Key": "apart"}, unique_key="right"),
        post(api, unique_key=None),
    )
    statuses = [each.status_code for each in answers]
    assert statuses[:3] == [200, 200, 409]
    # Which of two comes first is up to the transactions.
    pairs = [sorted(statuses[start : start + 2]) for start in (3, 5, 7)]
    assert (pairs, statuses[9]) == ([[200, 201], [200, 201], [201, 422]], 201)
    assert answers[0].json()["id"] == answers[1].json()["id"] == first["id"]
    for one, two in ((3, 4), (5, 6)):
        assert answers[one].json()["id"] == answers[two].json()["id"]
    holder = (await api.get(f"/tasks/{answers[3].json()['id']}")).json()
    assert holder["payload"] == {"value": 2}
    assert any("Idempotency-Replayed" in each.headers for each in answers[5:7])
    await check_keys(runtime)


async def test_a_retry_takes_the_key_again(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    first = await stored(api)
    await worker.fail(await worker.claim(first["id"]), fatal=True)
    second = await stored(api)
    refused = await api.post(f"/tasks/{first['id']}/retry")
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "unique-conflict")
    assert problem["task"] == {"id": second["id"], "status": "queued"}
    assert problem["errors"] == []
    wrong = await api.post(f"/tasks/{second['id']}/retry")
    assert wrong.json()["code"] == "invalid-transition"
    await api.post(f"/tasks/{second['id']}/cancel")
    again = await api.post(f"/tasks/{first['id']}/retry")
    assert (again.status_code, again.json()["status"]) == (200, "queued")
    assert await held(runtime) == {UUID(first["id"])}
    refused = await api.post(f"/tasks/{second['id']}/retry")
    assert refused.json()["task"] == {"id": first["id"], "status": "queued"}
    held_by(await post(api), first)
    await check_keys(runtime)


async def test_a_retry_that_cannot_be_takes_no_key(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    first = await stored(api)
    await worker.succeed(await worker.claim(first["id"]), 1)
    refused = await api.post(f"/tasks/{first['id']}/retry")
    assert refused.json()["code"] == "invalid-transition"
    assert await held(runtime) == set()


async def test_a_key_is_free_whose_holder_an_older_release_has_ended(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    first = await stored(api)
    older = (
        "UPDATE tasks SET status = 'succeeded', score = NULL, finished_at = updated_at",
        "DELETE FROM tasks",
    )
    for statement in older:
        await runtime.database.write(lambda c, said=statement: c.exec_driver_sql(said))  # type: ignore[misc]
        second = await stored(api)
        assert second["id"] != first["id"]
        assert await held(runtime) == {UUID(second["id"])}
