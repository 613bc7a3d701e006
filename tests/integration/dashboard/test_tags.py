"""The page of the tags."""

import httpx

from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import asking_for_keys, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.published import links, text_of

PATH = "/dashboard/tags"


async def tag(api: httpx.AsyncClient, *names: str) -> None:
    body = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": names}
    assert (await api.post("/tasks", json=body)).status_code == 201


async def test_none(api: httpx.AsyncClient) -> None:
    assert "No task has a tag." in text_of((await api.get(PATH)).text)


async def test_tags_and_their_tasks(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    await tag(api, "a&b", "<i>x</i>")
    await tag(api, "a&b")
    page = (await api.get(PATH)).text
    assert "a&b 2" in text_of(page)
    assert "<i>x</i> 1" in text_of(page)
    assert "<i>" not in page
    assert "/dashboard/tasks?tag=a%26b" in links(page)


async def test_those_that_begin_so(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    await tag(api, "alpha", "Alpine", "beta", "al%")
    page = (await api.get(PATH, params={"prefix": "al"})).text
    text = text_of(page)
    assert ("alpha" in text, "al%" in text) == (True, True)
    assert ("Alpine" in text, "beta" in text) == (False, False)
    assert PATH in links(page)
    assert "No tag begins so." in text_of((await api.get(PATH, params={"prefix": '"<x'})).text)
    assert (await api.get(PATH, params={"prefix": "x" * 65})).status_code == 422


async def test_very_many(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    names = [f"t{number:04}" for number in range(510)]
    for first in range(0, len(names), 30):
        await tag(api, *names[first : first + 30])
    text = text_of((await api.get(PATH)).text)
    assert ("t0499" in text, "t0500" in text) == (True, False)
    assert "and 10 more: say how they begin" in text
    assert "t0509" in text_of((await api.get(f"{PATH}?prefix=t050")).text)


async def test_who_may_look(runtime: Runtime) -> None:
    runs = shown(await make_key(runtime, "tasks:run:*"))
    transport = httpx.ASGITransport(create_app(runtime=asking_for_keys(runtime)))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        assert (await client.get(PATH, headers=runs)).status_code == 403
