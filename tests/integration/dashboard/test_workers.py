"""The page of the workers, and the table that follows them."""

import re

import httpx
import pytest

from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from taskq_server.services.leases import Leases
from tests.integration.api.keys import asking_for_keys, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.workers import add_worker
from tests.integration.dashboard.published import links, text_of
from tests.unit.server.factories import running, store

PATH = "/dashboard/workers"


@pytest.mark.parametrize("path", [PATH, f"{PATH}/table"])
async def test_none(api: httpx.AsyncClient, path: str) -> None:
    page = text_of((await api.get(path)).text)
    assert "No worker is alive." in page
    assert "taskq-server worker" in page


@pytest.mark.parametrize("path", [PATH, f"{PATH}/table"])
async def test_all_of_a_worker_and_what_it_runs(
    api: httpx.AsyncClient, worker: ScriptedWorker, runtime: Runtime, path: str
) -> None:
    row = await add_worker(
        runtime, "<b>host</b>:17", worker_id=worker.id, queues=["a", *(f"q{n}" for n in range(9))]
    )
    body = {"handler": "taskq.echo", "payload": {"value": 1}}
    task = await worker.claim((await api.post("/tasks", json=body)).json()["id"])
    page = (await api.get(path)).text
    text = text_of(page)
    for said in ("<b>host</b>:17", "taskq.echo", "1 / 100", "a, q0, q1, q2, q3", "and 5 more"):
        assert said in text, said
    assert "1.2.3" in text
    assert f"/dashboard/tasks/{task.id}" in links(page)
    times = re.findall(r'<time datetime="([^"]*)" data-time="age"', page)
    moments = (task.started_at, row.heartbeat_at, row.started_at)
    assert times == [f"{one:%Y-%m-%dT%H:%M:%S.%fZ}" for one in moments if one]


async def test_more_tasks_than_are_shown(api: httpx.AsyncClient, runtime: Runtime) -> None:
    row = await add_worker(runtime)
    tasks = [
        running(worker_id=row.id, started_at=runtime.clock(), lost_count=1) for _ in range(103)
    ]
    await store(runtime.database, *tasks)
    text = text_of((await api.get(PATH)).text)
    assert text.count("in quarantine") == 100
    assert "and 3 more" in text
    assert "103 / 100" in text


async def test_page_after_page(api: httpx.AsyncClient, runtime: Runtime) -> None:
    for number in range(5):
        await add_worker(runtime, f"worker-{number}", started=number)
    path, seen = f"{PATH}?limit=2", []
    while path:
        page = (await api.get(path)).text
        seen += re.findall(r"worker-\d", text_of(page))
        (followed,) = re.findall(r'hx-get="([^"]*)"', page)
        assert followed.partition("?")[0] == f"{PATH}/table"
        followed = (await api.get(followed.replace("&amp;", "&"))).text
        assert text_of(followed) in text_of(page)
        path = "".join(one for one in links(page) if "cursor=" in one).replace("&amp;", "&")
    assert seen == [f"worker-{number}" for number in range(5)]
    assert (await api.get(f"{PATH}?cursor=x")).status_code == 422


async def test_a_page_after_the_last_worker(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await add_worker(runtime, "first")
    last = await add_worker(runtime, "last", started=9)
    page = (await api.get(f"{PATH}?limit=1")).text
    (following,) = (one for one in links(page) if "cursor=" in one)
    await Leases(runtime.database).unregister(last)
    after = (await api.get(following.replace("&amp;", "&"))).text
    assert "There are no further workers." in text_of(after)
    assert PATH in links(after)


async def test_who_may_look(runtime: Runtime) -> None:
    await add_worker(runtime, "theirs", namespaces=["theirs"])
    await add_worker(runtime, "ours")
    reads = shown(await make_key(runtime, "tasks:read"))
    runs = shown(await make_key(runtime, "tasks:run:*"))
    transport = httpx.ASGITransport(create_app(runtime=asking_for_keys(runtime)))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        for path in (PATH, f"{PATH}/table"):
            page = text_of((await client.get(path, headers=reads)).text)
            assert ("ours" in page, "theirs" in page) == (True, False)
            assert (await client.get(path, headers=runs)).status_code == 403
