"""The stream that a task's page follows: what has changed, up to the end."""

import httpx
import pytest
from starlette.types import ASGIApp

from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.callers import Caller
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scoped import task_of
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.tasks import at, submitted

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
END = "event: end\ndata: -\n\n"


@pytest.fixture
def app(runtime: Runtime) -> ASGIApp:
    return create_app(runtime=runtime)


async def event(caller: Caller) -> tuple[str, str] | None:
    """The name and the data of the next event; None when the stream has ended.

    One without a name has a part of the page.
    """
    while (piece := await caller.piece()) is not None:
        if piece.startswith(b":"):
            continue
        found: dict[str, str] = {"event": "part", "data": ""}
        for name, _, value in (line.partition(": ") for line in piece.decode().split("\n")):
            found[name] = found["data"] + value if name == "data" else value
        return found["event"], found["data"]
    return None


async def test_changes_come_with_their_kind_up_to_the_end(
    app: ASGIApp, api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    caller = Caller()
    served = caller.get(app, at(task_id, "/events?shown=1"))
    claimed = await worker.claim(task_id)
    assert await event(caller) == ("task-change", "running")
    for current in (1, 2):
        await worker.report(claimed, {"current": current, "total": 2, "message": "<b>"})
        name, part = await event(caller) or ("", "")
        assert name == "part"
        assert f"{current} of 2" in part
        assert "<b>" not in part
    await api.patch(f"/tasks/{task_id}", json={"tags": ["new"]})
    assert await event(caller) == ("task-change", "running")
    await worker.succeed(claimed, 1)
    assert await event(caller) == ("task-change", "succeeded")
    assert await event(caller) == ("end", "-")
    assert await event(caller) is None
    await served


async def test_a_page_that_is_behind_is_told_at_once(
    app: ASGIApp, api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    await worker.claim(task_id)
    for headers, path in (({}, "/events?shown=1"), ({"last_event_id": "1"}, "/events?shown=2")):
        caller = Caller()
        served = caller.get(app, at(task_id, path), **headers)
        assert await event(caller) == ("task-change", "running")
        caller.hangs_up.set()
        await served


async def test_a_final_task_that_is_known_has_nothing_to_come(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    await worker.succeed(await worker.claim(task_id), 1)
    version = (await api.get(f"/tasks/{task_id}")).json()["version"]
    known = await api.get(at(task_id, f"/events?shown={version}"))
    assert (known.text, known.headers["content-type"]) == (END, "text/event-stream; charset=utf-8")
    behind = await api.get(at(task_id, "/events?shown=1"))
    assert f"id: {version}\nevent: task-change\ndata: succeeded\n\n{END}" in behind.text


async def test_a_task_that_is_deleted_meanwhile_is_gone(
    app: ASGIApp, api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    caller = Caller()
    served = caller.get(app, at(task_id, "/events?shown=1"))
    assert await caller.piece() == b": the changes of a task\n\n"
    await api.delete(f"/tasks/{task_id}")
    piece = await caller.piece()
    assert piece == b"event: gone\ndata: -\n\n" + END.encode()
    await served
    assert (await api.get(at(NOBODY, "/events"))).text == piece.decode()


async def test_a_foreign_task_is_as_one_that_is_gone(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    own = await make_key(runtime, "tasks:run:*")
    other = await make_key(runtime, "tasks:run:*", "tasks:write")
    task_id = await task_of(runtime, own)
    async with calling_closed(runtime) as client:
        answer = await client.get(at(task_id, "/events"), headers=shown(other))
        gone = await client.get(at(NOBODY, "/events"), headers=shown(other))
    assert answer.text == gone.text


async def test_a_page_of_a_waiting_task_follows_it(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    page = (await api.get(at(task_id))).text
    assert f'hx-sse:connect="{at(task_id)}/events?shown=1"' in page
    assert f'hx-get="{at(task_id)}/parts?since=0"' in page


async def test_a_head_request_follows_nothing(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    answer = await api.head(at(await submitted(api), "/events?shown=1"))
    assert answer.status_code == 200
