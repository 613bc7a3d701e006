"""What keys without `tasks:read` see of tasks: their own in full, and of others nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from taskq_server.domain.keys import Token
from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scoped import (
    ECHO,
    SECRET,
    assert_in_full,
    assert_outline,
    make_failed,
    make_succeeded,
    publish_in,
    task_of,
)
from tests.integration.api.scripted_worker import ScriptedWorker


@pytest.fixture
async def closed(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[httpx.AsyncClient]:
    await publish_in(runtime, "theirs")
    async with calling_closed(runtime) as client:
        yield client


class Callers(NamedTuple):
    """A key that may submit and change, another one, and one that may also read."""

    own: Token
    other: Token
    reader: Token


@pytest.fixture
async def callers(runtime: Runtime) -> Callers:
    without = ("tasks:run:*", "tasks:write", "metrics:read")
    return Callers(
        await make_key(runtime, *without),
        await make_key(runtime, *without),
        await make_key(runtime, *without, "tasks:read"),
    )


def unlike_any(response: httpx.Response, task_id: str) -> dict[str, Any]:
    """Return all that an answer says, without what differs from request to request."""
    said = response.text.replace(task_id, "its id")
    for mark in ("request_id", "instance"):
        said = said.replace(str(response.json()[mark]), mark)
    headers = {k: v for k, v in response.headers.items() if k != "x-request-id"}
    return {"status": response.status_code, "said": said, "headers": headers}


READS: dict[str, Callable[[httpx.AsyncClient, str, dict[str, str]], Any]] = {
    "get": lambda api, one, key: api.get(f"/tasks/{one}", headers=key),
    "wait": lambda api, one, key: api.get(f"/tasks/{one}?wait=20", headers=key),
    "prefer": lambda api, one, key: api.get(f"/tasks/{one}", headers={**key, "Prefer": "wait=20"}),
    "not modified": lambda api, one, key: api.get(
        f"/tasks/{one}", headers={**key, "If-None-Match": "*"}
    ),
    "events": lambda api, one, key: api.get(f"/tasks/{one}/events", headers=key),
    "last event": lambda api, one, key: api.get(
        f"/tasks/{one}/events", headers={**key, "Last-Event-ID": "1"}
    ),
    "attempts": lambda api, one, key: api.get(f"/tasks/{one}/attempts", headers=key),
    "wait for some": lambda api, one, key: api.post(
        "/tasks/wait", json={"ids": [one], "timeout_seconds": 20}, headers=key
    ),
}


@pytest.mark.parametrize("read", READS)
async def test_a_foreign_task_is_as_one_that_does_not_exist(
    closed: httpx.AsyncClient, runtime: Runtime, callers: Callers, read: str
) -> None:
    call, unknown = READS[read], str(uuid4())
    key = shown(callers.own)
    expected = unlike_any(await call(closed, unknown, key), unknown)
    assert expected["status"] == 404
    foreign = [
        await task_of(runtime, callers.other),
        await task_of(runtime, None),
        await task_of(runtime, callers.own, "theirs"),
        await task_of(runtime, callers.other, "theirs"),
    ]
    for task_id in foreign:
        assert unlike_any(await call(closed, task_id, key), task_id) == expected


async def test_an_own_task_is_seen_in_full(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, callers: Callers
) -> None:
    task_id = (await closed.post("/tasks", json=ECHO, headers=shown(callers.own))).json()["id"]
    await make_succeeded(runtime, worker, task_id)
    for token in (callers.own, callers.reader):
        key = shown(token)
        path = f"/tasks/{task_id}"
        assert_in_full((await closed.get(path, headers=key)).json())
        assert_in_full((await closed.get(f"{path}?wait=5", headers=key)).json())
        waited = await READS["wait for some"](closed, task_id, key)
        assert_in_full(waited.json()["items"][0])
        attempts = await closed.get(f"{path}/attempts", headers=key)
        assert [one["message"] for one in attempts.json()["items"]] == ["no luck", None]
        assert SECRET in (await closed.get(f"{path}/events", headers=key)).text
        seen = {"If-None-Match": "*", **key}
        assert (await closed.get(path, headers=seen)).status_code == 304


async def test_one_foreign_task_among_own_ones_ends_the_wait(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, callers: Callers
) -> None:
    own, foreign = await task_of(runtime, callers.own), await task_of(runtime, callers.other)
    await make_succeeded(runtime, worker, own)
    body = {"ids": [own, foreign], "timeout_seconds": 20}
    refused = await closed.post("/tasks/wait", json=body, headers=shown(callers.own))
    assert (refused.status_code, foreign in refused.json()["detail"]) == (404, True)


async def test_readers_of_both_kinds_at_the_same_moment(
    closed: httpx.AsyncClient, runtime: Runtime, callers: Callers
) -> None:
    """They share transactions, and nothing else."""
    keys = [callers.own, callers.other, callers.reader]
    tasks = {token: await task_of(runtime, token) for token in keys}
    asked = [(token, of) for of in keys for token in keys] * 20
    answers = await asyncio.gather(
        *(closed.get(f"/tasks/{tasks[of]}", headers=shown(token)) for token, of in asked)
    )
    for (token, of), answer in zip(asked, answers, strict=True):
        sees = token in (of, callers.reader)
        assert answer.status_code == (200 if sees else 404)
        assert (SECRET in answer.text) == sees


async def test_nothing_says_who_has_submitted_a_task(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, callers: Callers
) -> None:
    task_id = await task_of(runtime, callers.other)
    await make_failed(worker, task_id)
    key = shown(callers.reader)
    for path in ("", f"/{task_id}", f"/{task_id}/attempts", f"/{task_id}/events"):
        answer = await closed.get(f"/tasks{path}", headers=key)
        assert answer.status_code == 200
        assert "submitted_by" not in answer.text
        assert callers.other.id not in answer.text


async def test_changes_of_foreign_tasks_answer_with_outlines(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, callers: Callers
) -> None:
    foreign, own = await task_of(runtime, callers.other), await task_of(runtime, callers.own)
    for task_id, check in (
        (foreign, assert_outline),
        (own, lambda response: assert_in_full(response.json())),
    ):
        path, key = f"/tasks/{task_id}", shown(callers.own)
        await make_succeeded(runtime, worker, task_id)
        changed = await closed.patch(path, json={"title": "t"}, headers=key)
        check(changed)
        tag = changed.headers["ETag"]
        again = await closed.patch(path, json={"title": None}, headers={**key, "If-Match": tag})
        check(again)
        assert (again.json()["title"], again.status_code) == ("taskq.echo", 200)
        late = await closed.patch(path, json={"title": "x"}, headers={**key, "If-Match": tag})
        assert late.json()["code"] == "version-mismatch"
        refused = await closed.post(f"{path}/cancel", headers=key)
        assert (refused.status_code, SECRET in refused.text) == (409, False)


async def test_retries_and_cancels_of_foreign_tasks_answer_with_outlines(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, callers: Callers
) -> None:
    task_id = await task_of(runtime, callers.other)
    path, key = f"/tasks/{task_id}", shown(callers.own)
    await make_failed(worker, task_id)
    assert assert_outline(await closed.post(f"{path}/retry", headers=key))["status"] == "queued"
    await worker.claim(task_id)
    running = await closed.post(f"{path}/cancel", headers=key)
    assert assert_outline(running)["status"] == "running"
    assert running.status_code == 202
    refused = await closed.delete(path, headers=key)
    assert (refused.status_code, SECRET in refused.text) == (409, False)


@pytest.mark.parametrize("verb", ["patch", "cancel", "retry", "delete"])
async def test_nobody_changes_a_task_of_another_namespace(
    closed: httpx.AsyncClient, runtime: Runtime, callers: Callers, verb: str
) -> None:
    key, unknown = shown(callers.own), str(uuid4())

    async def change(task_id: str) -> httpx.Response:
        path = f"/tasks/{task_id}"
        if verb == "patch":
            return await closed.patch(path, json={"run_at": None}, headers=key)
        if verb == "delete":
            return await closed.delete(path, headers=key)
        return await closed.post(f"{path}/{verb}", headers=key)

    expected = unlike_any(await change(unknown), unknown)
    assert expected["status"] == 404
    theirs = await task_of(runtime, callers.own, "theirs")
    assert unlike_any(await change(theirs), theirs) == expected
