"""`GET /stats/events`: the counts of a namespace, as they change."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from starlette.types import ASGIApp

from taskq_server.api import stats_events
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.callers import Caller
from tests.integration.api.conftest import Submit
from tests.integration.api.keys import make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.log_lines import logged

PATH = "/stats/events"
SLOW = {"delay_seconds": 3600}


@pytest.fixture
def app(runtime: Runtime) -> ASGIApp:
    return create_app(runtime=runtime)


async def shown_next(caller: Caller) -> dict[str, Any] | None:
    """The counts of the next event; None when the stream has ended."""
    fields = {"event": ""}
    while fields["event"] != "stats":
        piece = await caller.piece()
        if piece is None:
            return None
        lines = piece.decode().splitlines()
        fields = {name: value for name, _, value in (line.partition(": ") for line in lines)}
        fields.setdefault("event", "")
    counts: dict[str, Any] = json.loads(fields["data"])
    return counts


async def stats(api: httpx.AsyncClient) -> dict[str, Any]:
    """What `GET /stats` tells, as far as it changes only when something happens."""
    found = (await api.get("/stats")).json()
    names = ("name", "tasks", "depth")
    return {**found, "queues": [{name: one[name] for name in names} for one in found["queues"]]}


async def test_the_counts_are_those_of_stats_at_once_and_after_each_change(
    app: ASGIApp, api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    caller = Caller()
    served = caller.get(app, PATH)
    assert await shown_next(caller) == await stats(api)
    ids = [(await submit(queue="mail"))["id"] for _ in range(4)]
    await submit(queue="batch", **SLOW)
    claimed = [await worker.claim(each) for each in ids[:3]]
    await worker.succeed(claimed[0], 1)
    await worker.fail(claimed[1])
    await api.post(f"/tasks/{ids[3]}/cancel")
    settled = await stats(api)
    assert settled["tasks"] == {
        **{"queued": 1, "running": 1, "retrying": 1},
        **{"succeeded": 1, "failed": 0, "cancelled": 1},
    }
    while await shown_next(caller) != settled:
        pass
    caller.hangs_up.set()
    await served
