"""How many waits and streams one key may have open."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from taskq_server.api import events
from taskq_server.domain.keys import Token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.callers import Caller
from tests.integration.api.keys import make_key, shown
from tests.integration.api.limited import TASK, limited
from tests.integration.api.scripted_worker import ScriptedWorker

SCOPES = ("tasks:read", "tasks:write", "tasks:run:*")


class Api(NamedTuple):
    """An API where each key may have one wait open, a key, and a task that nobody runs."""

    http: httpx.AsyncClient
    runtime: Runtime
    key: Token
    task: str

    @property
    def headers(self) -> dict[str, str]:
        return shown(self.key)

    @property
    def open(self) -> int:
        return self.runtime.open_waits.of(self.key.id)

    async def wait(self) -> httpx.Response:
        """Ask for a wait that is as short as can be."""
        return await self.http.get(f"{self.task}?wait=0.01", headers=self.headers)

    def caller(self, path: str) -> tuple[Caller, asyncio.Task[None]]:
        """Send a request that waits."""
        caller = Caller()
        served = caller.get(
            create_app(runtime=self.runtime), path, authorization=self.headers["Authorization"]
        )
        return caller, served


@pytest.fixture
async def api(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[Api]:
    async with limited(runtime, max_waits_per_key=1) as (http, opened):
        key = await make_key(runtime, *SCOPES)
        stored = await http.post("/tasks", json=TASK, headers=shown(key))
        yield Api(http, opened, key, stored.headers["Location"])


def assert_refused(response: httpx.Response) -> None:
    assert response.status_code == 429, response.text
    assert response.json()["code"] == "rate-limited"
    assert int(response.headers["Retry-After"]) >= 1
    assert "RateLimit" not in response.headers


async def some_wait(api: Api, kind: str) -> httpx.Response:
    match kind:
        case "wait":
            return await api.wait()
        case "preferred":
            headers = {**api.headers, "Prefer": "wait=1"}
            return await api.http.get(api.task, headers=headers)
        case "any":
            body = {"ids": [api.task.rpartition("/")[2]], "timeout_seconds": 0.01}
            return await api.http.post("/tasks/wait", json=body, headers=api.headers)
        case "stream":
            url = f"{api.task}/events?timeout_seconds=0"
            return await api.http.get(url, headers=api.headers)
        case "counts":
            return await api.http.get("/stats/events?timeout_seconds=0", headers=api.headers)
        case _:
            headers = {**api.headers, "Prefer": "wait=1"}
            return await api.http.post("/tasks", json=TASK, headers=headers)


@pytest.mark.parametrize("kind", ["wait", "preferred", "any", "stream", "counts", "submit"])
async def test_one_more_is_refused_until_a_place_is_free(api: Api, kind: str) -> None:
    with api.runtime.open_waits.place(await the_caller(api)):
        before = (await api.runtime.stats.read(api.runtime.caller)).tasks.total()
        assert_refused(await some_wait(api, kind))
        assert (await api.runtime.stats.read(api.runtime.caller)).tasks.total() == before
        other = shown(await make_key(api.runtime, "tasks:read"))
        assert (await api.http.get(f"{api.task}?wait=0.01", headers=other)).status_code == 200
        for at_once in (api.task, f"{api.task}?wait=0", "/tasks"):
            assert (await api.http.get(at_once, headers=api.headers)).status_code == 200
        plain = await api.http.post("/tasks", json=TASK, headers=api.headers)
        assert plain.status_code == 201
    assert (await some_wait(api, kind)).is_success
    assert api.open == 0


async def the_caller(api: Api) -> Any:
    return await api.runtime.authentication.caller(api.key.text)


@pytest.mark.parametrize("path", ["{task}?wait=60", "{task}/events", "/stats/events"])
async def test_a_caller_that_hangs_up_frees_its_place(api: Api, path: str) -> None:
    caller, served = api.caller(path.format(task=api.task))
    await asyncio.wait_for(caller.waits.wait(), 60)
    assert_refused(await api.wait())
    caller.hangs_up.set()
    await asyncio.wait_for(served, 60)
    assert (await api.wait()).status_code == 200


@pytest.mark.parametrize("path", ["{task}?wait=60", "{task}/events", "/stats/events"])
async def test_a_key_that_is_revoked_frees_its_place(api: Api, path: str) -> None:
    caller, served = api.caller(path.format(task=api.task))
    await asyncio.wait_for(caller.waits.wait(), 60)
    assert api.open == 1
    async with api.runtime.database.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM api_keys")
    await asyncio.wait_for(served, 60)
    assert api.open == 0


@pytest.mark.parametrize("path", ["{task}?wait=60", "{task}/events"])
async def test_an_end_of_the_task_frees_its_place(api: Api, path: str) -> None:
    caller, served = api.caller(path.format(task=api.task))
    await asyncio.wait_for(caller.waits.wait(), 60)
    assert api.open == 1
    done = await api.http.post(f"{api.task}/cancel", headers=api.headers)
    assert done.status_code == 200
    await asyncio.wait_for(served, 60)
    assert api.open == 0


@pytest.mark.parametrize("path", ["{task}?wait=60", "{task}/events", "/stats/events"])
async def test_a_request_that_is_cancelled_frees_its_place(api: Api, path: str) -> None:
    caller, served = api.caller(path.format(task=api.task))
    await asyncio.wait_for(caller.waits.wait(), 60)
    assert api.open == 1
    served.cancel()
    await asyncio.gather(served, return_exceptions=True)
    assert api.open == 0


@pytest.mark.parametrize("path", ["{task}/events", "/stats/events"])
async def test_a_stream_whose_caller_is_gone_before_it_begins_frees_its_place(
    api: Api, path: str
) -> None:
    class Gone(Caller):
        async def send(self, message: Any) -> None:
            raise OSError("the connection is closed")

    caller = Gone()
    served = caller.get(
        create_app(runtime=api.runtime),
        path.format(task=api.task),
        authorization=api.headers["Authorization"],
    )
    await asyncio.gather(served, return_exceptions=True)
    assert api.open == 0


async def test_a_beat_does_not_take_a_second_place(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.05)
    caller, served = api.caller(f"{api.task}/events")
    for _ in range(4):
        assert await caller.piece()
    assert api.open == 1
    caller.hangs_up.set()
    await asyncio.wait_for(served, 60)
    assert api.open == 0


async def test_callers_without_a_key_have_no_limit(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with limited(runtime, auth="off", max_waits_per_key=1) as (http, _):
        task = (await http.post("/tasks", json=TASK)).headers["Location"]
        answers = await asyncio.gather(*(http.get(f"{task}?wait=0.2") for _ in range(5)))
        assert {each.status_code for each in answers} == {200}
