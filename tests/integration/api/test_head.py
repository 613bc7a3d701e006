"""`HEAD` wherever `GET` is: the same status and header fields."""

import asyncio

import httpx
import pytest
from fastapi.routing import APIRoute

from taskq_server.dashboard import assets
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.keys import make_key
from tests.integration.api.schedules import put
from tests.integration.api.scripted_worker import ScriptedWorker

CHANGING = ("/metrics", "/queues", "/stats")
"""Their numbers change from one answer to the next, and so may the length."""

NOT_200 = {
    "/": 307,
    "/dashboard/": 308,
    "/dashboard/sign-in": 403,  # plain http from elsewhere
    "/dashboard/namespace": 403,  # for operators
    "/dashboard/assets/{rest:path}": 404,
    "/dashboard/{rest:path}": 404,
}

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"


def served_to_get() -> list[str]:
    """Every path that GET is served under."""
    routes = [route for route in create_app().routes if isinstance(route, APIRoute)]
    return [route.path for route in routes if "GET" in route.methods]


async def ask(api: httpx.AsyncClient, method: str, path: str, **headers: str) -> httpx.Response:
    async with asyncio.timeout(60):
        return await api.request(method, path, headers={"X-Request-Id": "same", **headers})


async def check_same(api: httpx.AsyncClient, path: str, **headers: str) -> httpx.Response:
    got, head = [await ask(api, method, path, **headers) for method in ("GET", "HEAD")]
    fields = [dict(answer.headers) for answer in (head, got)]
    if path in CHANGING:
        assert all(int(each.pop("content-length")) > 100 for each in fields)
    assert (head.status_code, fields[0]) == (got.status_code, fields[1])
    return head


@pytest.mark.parametrize("path", served_to_get())
async def test_every_path(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker, runtime: Runtime, path: str
) -> None:
    task = await submit()
    await worker.succeed(await worker.claim(task["id"]), 1)
    key = await make_key(runtime, "tasks:read")
    wanted = {"action": "cancel", "filter": {"status": "queued"}}
    operation = (await api.post("/tasks/bulk", json=wanted)).json()
    await put(api, "yearly", cron="@yearly")
    own = path.replace("{task_id:task_id}", task["id"]).replace("{key_id:key_id}", key.id)
    own = own.replace("{operation_id:task_id}", operation["id"])
    own = own.replace("/preview", "/preview?cron=@yearly").replace("{name:schedule}", "yearly")
    own = own.replace("/stats/events", "/stats/events?timeout_seconds=0")
    own = own.replace("/assets/{digest}/{name}", assets.url("taskq.css"))
    own = own.replace("/all/{action}", "/all/cancel?status=queued")
    own = own.replace("{handler:path}", "taskq.echo").replace("{rest:path}", "no/such")
    assert "{" not in own
    head = await check_same(api, own)
    assert head.status_code == NOT_200.get(path, 200)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/docs/assets/swagger-ui.css", 200),
        ("/docs/assets/nothing.css", 404),
        ("/nowhere", 404),
        (f"/tasks/{NOBODY}", 404),
        (f"/tasks/{NOBODY}/attempts", 404),
        (f"/tasks/{NOBODY}/events", 404),
        ("/tasks?limit=0", 422),
        ("/livez?x=1", 422),
        ("/tasks/batch", 405),
        (f"/tasks/{NOBODY}/cancel", 405),
    ],
)
async def test_problems(api: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await check_same(api, path)).status_code == status


async def test_a_version_that_is_known(api: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/tasks/{(await submit())['id']}"
    head = await check_same(api, path)
    assert head.headers["etag"] == '"1"'
    assert (await check_same(api, path, **{"If-None-Match": '"1"'})).status_code == 304


async def test_the_stream_of_a_waiting_task_ends_at_once(
    api: httpx.AsyncClient, submit: Submit
) -> None:
    path = f"/tasks/{(await submit(delay_seconds=3600))['id']}/events"
    head = await ask(api, "HEAD", path)
    assert head.status_code == 200
    assert head.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in head.headers
