"""`GET /stats/events`: the counts of a namespace, as they change."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message

from taskq_server.api import stats_events
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.browsing import OWN, browsing, sign_in
from tests.integration.api.callers import Caller
from tests.integration.api.conftest import Submit
from tests.integration.api.keys import asking_for_keys, make_key, shown
from tests.integration.api.scoped import publish_in, task_of
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.workers import add_worker
from tests.support.log_lines import logged

PATH = "/stats/events"
LATER = {"delay_seconds": 3600}


@pytest.fixture
def app(runtime: Runtime) -> ASGIApp:
    return create_app(runtime=runtime)


async def counts(caller: Caller) -> dict[str, Any] | None:
    """The counts of the next event; None when the stream has ended."""
    while (piece := await caller.piece()) is not None:
        for line in piece.decode().splitlines():
            if line.startswith("data: "):
                found: dict[str, Any] = json.loads(line.removeprefix("data: "))
                return found
    return None


async def stats(api: httpx.AsyncClient) -> dict[str, Any]:
    """What `GET /stats` tells, as far as it changes only when something happens."""
    found = (await api.get("/stats")).json()
    names = ("name", "tasks", "depth")
    return {**found, "queues": [{name: one[name] for name in names} for one in found["queues"]]}


async def test_they_are_those_of_stats_at_once_and_after_each_change(
    app: ASGIApp,
    api: httpx.AsyncClient,
    submit: Submit,
    worker: ScriptedWorker,
    runtime: Runtime,
) -> None:
    caller = Caller()
    served = caller.get(app, PATH)
    assert await counts(caller) == await stats(api)
    ids = [(await submit(queue="mail"))["id"] for _ in range(4)]
    await submit(queue="batch", **LATER)
    claimed = [await worker.claim(each) for each in ids[:3]]
    await worker.succeed(claimed[0], 1)
    await worker.fail(claimed[1])
    await api.post(f"/tasks/{ids[3]}/cancel")
    await add_worker(runtime)
    settled = await stats(api)
    assert settled["tasks"] == {
        "queued": 1,
        "running": 1,
        "retrying": 1,
        "succeeded": 1,
        "failed": 0,
        "cancelled": 1,
    }
    assert settled["workers"] == 1
    while await counts(caller) != settled:
        pass
    caller.hangs_up.set()
    await served


async def test_nothing_comes_while_nothing_changes(
    app: ASGIApp,
    submit: Submit,
    worker: ScriptedWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stats_events, "BEAT_SECONDS", 0.7)
    await worker.succeed(await worker.claim((await submit())["id"]), 1)
    caller = Caller()
    served = caller.get(app, PATH)
    assert await counts(caller) is not None
    for _ in range(4):  # meanwhile it is read again and again, and the rates change
        assert await caller.piece() == b": alive\n\n"
    caller.hangs_up.set()
    await served


async def test_what_a_caller_has_seen_before_makes_no_difference(
    api: httpx.AsyncClient, submit: Submit
) -> None:
    await submit()
    response = await api.get(f"{PATH}?timeout_seconds=0", headers={"Last-Event-ID": "7"})
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    data = json.dumps(await stats(api), separators=(",", ":"))
    assert response.text == f"retry: 2000\nevent: stats\ndata: {data}\n\n"


async def test_a_slow_viewer_misses_what_is_old_and_holds_nobody_up(
    app: ASGIApp, api: httpx.AsyncClient, submit: Submit
) -> None:
    class Slow(Caller):
        goes_on = asyncio.Event()
        stands = asyncio.Event()

        async def send(self, message: Message) -> None:
            await super().send(message)
            if b"event:" in message.get("body", b""):
                self.stands.set()
                await self.goes_on.wait()

    slow, quick = Slow(), Caller()
    served = [each.get(app, PATH) for each in (slow, quick)]
    async with asyncio.timeout(60):
        await slow.stands.wait()
    assert await counts(slow) == await counts(quick)
    for number in (1, 2, 3):
        await submit()
        found = await counts(quick)
        assert found is not None
        assert found["tasks"]["queued"] == number
    slow.goes_on.set()
    assert await counts(slow) == await stats(api)
    for each in (slow, quick):
        each.hangs_up.set()
    await asyncio.gather(*served)


async def test_nothing_is_seen_of_other_namespaces(runtime: Runtime) -> None:
    await publish_in(runtime, "theirs")
    app = create_app(runtime=asking_for_keys(runtime))

    async def follow(namespace: str) -> tuple[Caller, asyncio.Task[None]]:
        caller, key = Caller(), await make_key(runtime, "tasks:read", namespace=namespace)
        return caller, caller.get(app, PATH, authorization=shown(key)["Authorization"])

    ours, serving_us = await follow("default")
    theirs, serving_them = await follow("theirs")
    nothing = await counts(ours)
    assert nothing == await counts(theirs)
    await task_of(runtime, None, "theirs")
    found = await counts(theirs)
    assert found is not None
    assert (found["tasks"]["queued"], len(found["queues"])) == (1, 1)
    another, serving_another = await follow("default")
    assert await counts(another) == nothing
    for caller in (ours, theirs, another):
        caller.hangs_up.set()
    await asyncio.gather(serving_us, serving_them, serving_another)


@pytest.mark.parametrize(
    "change", ["DELETE FROM api_keys", "UPDATE api_keys SET scopes = '[\"metrics:read\"]'"]
)
async def test_a_stream_ends_with_what_its_key_opens(runtime: Runtime, change: str) -> None:
    app = create_app(runtime=asking_for_keys(runtime))
    caller = Caller()
    key = shown(await make_key(runtime, "tasks:read"))
    served = caller.get(app, PATH, authorization=key["Authorization"])
    assert await counts(caller) is not None
    async with runtime.database.engine.begin() as connection:
        await connection.exec_driver_sql(change)
    assert await counts(caller) is None
    await served


@pytest.mark.parametrize("end", ["sign out", "key"])
async def test_a_stream_of_a_session_ends_with_it(runtime: Runtime, end: str) -> None:
    key = await make_key(runtime, "tasks:read")
    async with browsing(runtime) as browser:
        await sign_in(browser, key)
        ((name, token),) = browser.cookies.items()
        caller = Caller()
        app = create_app(runtime=asking_for_keys(runtime))
        served = caller.get(app, PATH, cookie=f"{name}={token}", host="localhost")
        assert await counts(caller) is not None
        if end == "key":
            async with runtime.database.engine.begin() as connection:
                await connection.exec_driver_sql("DELETE FROM api_keys")
        else:
            await browser.post("/dashboard/sign-out", headers=OWN)
        async with asyncio.timeout(5):
            assert await counts(caller) is None
        await served


async def test_a_stream_ends_when_the_process_stops(app: ASGIApp, runtime: Runtime) -> None:
    caller = Caller()
    served = caller.get(app, PATH)
    assert await counts(caller) is not None
    runtime.drain()
    assert await counts(caller) is None
    await served


async def test_who_hangs_up_leaves_nothing_behind(
    app: ASGIApp, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller()
    served = caller.get(app, PATH)
    assert await counts(caller) is not None
    assert runtime.stats_feed.viewers == 1
    caller.hangs_up.set()
    async with asyncio.timeout(60):
        await served
    assert runtime.stats_feed.viewers == 0
    assert logged(caplog) == []
