"""A request without a key that opens gets 401, before anything of it is read."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from starlette.types import Message

from taskq_server.domain.keys import Token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import asking_for_keys, calling_closed, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker

TASK = {"handler": "taskq.echo", "payload": {"value": 1}}


@pytest.fixture
async def closed(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[httpx.AsyncClient]:
    """An API that asks for keys."""
    async with calling_closed(runtime) as client:
        yield client


def assert_unauthenticated(response: httpx.Response) -> None:
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    problem = response.json()
    assert problem["code"] == "unauthenticated"
    assert problem["detail"] == "send `Authorization: Bearer` and a valid API key"


async def test_a_key_opens_what_its_scopes_say(closed: httpx.AsyncClient, runtime: Runtime) -> None:
    reader = shown(await make_key(runtime, "tasks:read"))
    runner = shown(await make_key(runtime, "tasks:run:taskq.*"))
    assert (await closed.post("/tasks", json=TASK, headers=runner)).status_code == 201
    assert (await closed.get("/tasks", headers=reader)).json()["items"]
    for refused in (
        await closed.post("/tasks", json=TASK, headers=reader),
        await closed.get("/tasks", headers=runner),
    ):
        assert refused.status_code == 403
        assert refused.json()["errors"][0]["code"] == "missing-scope"


async def test_whatever_does_not_open_gets_one_answer(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    second = timedelta(seconds=1)
    good = await make_key(runtime, "tasks:read")
    unknown = Token("A" * 12, good.secret)
    wrong = Token(good.id, "A" * 43)
    now = runtime.clock()
    expired = await make_key(runtime, "tasks:read", expires_at=now - second)
    revoked = await make_key(runtime, "tasks:read", revoked_at=now - second)
    assert_unauthenticated(await closed.get("/tasks"))
    for token in (unknown, wrong, expired, revoked):
        assert_unauthenticated(await closed.get("/tasks", headers=shown(token)))
    assert (await closed.get("/tasks", headers=shown(good))).status_code == 200


@pytest.mark.parametrize("path", ["/", "/nowhere", "/docs", "/openapi.json", "/docs/assets/x.js"])
async def test_every_path_asks_for_a_key(closed: httpx.AsyncClient, path: str) -> None:
    assert_unauthenticated(await closed.get(path))


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_ask_for_none(closed: httpx.AsyncClient, path: str) -> None:
    assert (await closed.get(path)).status_code == 200


async def test_a_local_port_is_open_until_the_first_key_is_made(runtime: Runtime) -> None:
    settings = runtime.settings.model_copy(update={"auth": "auto"})
    app = create_app(runtime=replace(runtime, settings=settings), allowed_hosts=["taskq"])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        assert (await client.get("/tasks")).status_code == 200
        await make_key(runtime, "admin", revoked_at=runtime.clock())
        runtime.authentication.forget()
        assert_unauthenticated(await client.get("/tasks"))


async def test_an_address_that_nobody_knows_is_closed(runtime: Runtime) -> None:
    settings = runtime.settings.model_copy(update={"auth": "auto"})
    transport = httpx.ASGITransport(create_app(runtime=replace(runtime, settings=settings)))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        assert_unauthenticated(await client.get("/tasks"))


async def test_there_are_no_websockets(runtime: Runtime) -> None:
    for app in (create_app(runtime=runtime), create_app(runtime=asking_for_keys(runtime))):
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        await app({"type": "websocket", "path": "/tasks", "headers": []}, receive, send)
        assert sent == [{"type": "websocket.close", "code": 1008}]
