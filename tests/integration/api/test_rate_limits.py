"""How many requests a key may send."""

import asyncio
import re

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Message

from taskq_client import AsyncTaskqClient
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import make_key, shown
from tests.integration.api.limited import TASK, limited
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.proxy import Proxy
from tests.support.valkey import ValkeyServer


def assert_limited(response: httpx.Response, limit: str) -> int:
    """Check a refusal; return the seconds to wait."""
    assert response.status_code == 429, response.text
    problem = response.json()
    assert problem["code"] == "rate-limited"
    assert limit in problem["detail"]
    requests, window = {"3/minute": (3, 60), "2/second": (2, 1)}[limit]
    assert response.headers["RateLimit-Policy"] == f'"key";q={requests};w={window}'
    seconds = int(response.headers["Retry-After"])
    found = re.fullmatch('"key";r=([0-9]+);t=([0-9]+)', response.headers["RateLimit"])
    assert found is not None
    assert int(found[2]) == seconds
    assert 1 <= seconds <= 2 * window
    return seconds


async def test_a_key_may_send_so_many_requests(runtime: Runtime) -> None:
    async with limited(runtime) as (one, _), limited(runtime) as (other, _):
        mine = shown(await make_key(runtime, "tasks:read", rate_limit="3/minute"))
        free = shown(await make_key(runtime, "tasks:read"))
        for api in (one, other, one):
            assert (await api.get("/tasks", headers=mine)).status_code == 200
        for api in (one, other):
            assert_limited(await api.get("/tasks", headers=mine), "3/minute")
            assert_limited(await api.get("/nowhere", headers=mine), "3/minute")
            assert (await api.get("/tasks", headers=free)).status_code == 200
            assert (await api.get("/livez", headers=mine)).status_code == 200


async def test_a_refused_request_is_allowed_after_the_time_that_is_told(runtime: Runtime) -> None:
    async with limited(runtime) as (api, _):
        mine = shown(await make_key(runtime, "tasks:read", rate_limit="2/second"))
        answers = [await api.get("/tasks", headers=mine) for _ in range(3)]
        while answers[-1].status_code == 200:  # a second has passed on a slow machine
            answers.append(await api.get("/tasks", headers=mine))
        await asyncio.sleep(assert_limited(answers[-1], "2/second"))
        assert (await api.get("/tasks", headers=mine)).status_code == 200


async def test_keys_without_a_limit_have_that_of_the_settings(runtime: Runtime) -> None:
    async with limited(runtime, rate_limit="3/minute") as (api, _):
        plain = shown(await make_key(runtime, "tasks:read"))
        own = shown(await make_key(runtime, "tasks:read", rate_limit="100/minute"))
        for _ in range(3):
            assert (await api.get("/tasks", headers=plain)).status_code == 200
        assert_limited(await api.get("/tasks", headers=plain), "3/minute")
        for _ in range(5):
            assert (await api.get("/tasks", headers=own)).status_code == 200


async def test_nobody_is_limited_where_no_key_is_asked_for(runtime: Runtime) -> None:
    async with limited(runtime, auth="off", rate_limit="1/minute") as (api, _):
        for _ in range(3):
            assert (await api.get("/tasks")).status_code == 200


async def test_no_key_and_a_wrong_one_cost_nobody_anything(runtime: Runtime) -> None:
    async with limited(runtime, rate_limit="3/minute") as (api, _):
        token = await make_key(runtime, "tasks:read")
        wrong = {"Authorization": f"Bearer tq_{token.id}_{'A' * 43}"}
        for _ in range(5):
            assert (await api.get("/tasks", headers=wrong)).status_code == 401
        for _ in range(3):
            assert (await api.get("/tasks", headers=shown(token))).status_code == 200


async def test_a_submit_without_room_is_not_read(runtime: Runtime, worker: ScriptedWorker) -> None:
    """Whatever the body is, and on the fast path as on the route."""
    async with limited(runtime, rate_limit="3/minute") as (api, _):
        key = shown(await make_key(runtime, "tasks:run:*", "tasks:read"))
        for _ in range(3):
            assert (await api.post("/tasks", json=TASK, headers=key)).status_code == 201
        for more in (
            {"json": TASK},
            {"json": TASK, "headers": {**key, "Prefer": "wait=1"}},
            {"content": b"{"},
            {"content": b"x" * 1_000_000},
        ):
            answer = await api.post("/tasks", **{"headers": key, **more})  # type: ignore[arg-type]
            assert_limited(answer, "3/minute")
        assert (await runtime.stats.read(runtime.caller)).tasks.total() == 3


async def test_nothing_of_a_refused_request_is_received(runtime: Runtime) -> None:
    async with limited(runtime, rate_limit="1/minute") as (api, opened):
        key = shown(await make_key(runtime, "tasks:run:*", "tasks:read"))
        assert (await api.get("/tasks", headers=key)).status_code == 200
        sent: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("the body is asked for")

        async def send(message: Message) -> None:
            sent.append(message)

        for path in ("/tasks", "/tasks/batch"):
            headers = [(b"authorization", key["Authorization"].encode())]
            headers += [(b"content-type", b"application/json"), (b"content-length", b"8000000")]
            scope = {
                "type": "http",
                "method": "POST",
                "path": path,
                "query_string": b"",
                "headers": headers,
            }
            await create_app(runtime=opened)(scope, receive, send)
            assert sent[0]["status"] == 429
            sent.clear()


async def test_a_batch_costs_its_items(runtime: Runtime, worker: ScriptedWorker) -> None:
    async with limited(runtime, rate_limit="3/minute") as (api, _):

        async def submit(items: int) -> httpx.Response:
            return await api.post("/tasks/batch", json={"items": [TASK] * items}, headers=key)

        key = shown(await make_key(runtime, "tasks:run:*"))
        assert (await submit(3)).status_code == 201
        assert_limited(await submit(1), "3/minute")

        key = shown(await make_key(runtime, "tasks:run:*"))
        assert (await submit(2)).status_code == 201
        seconds = assert_limited(await submit(2), "3/minute")  # the request itself was the third
        assert seconds > 60
        assert_limited(await submit(1), "3/minute")

        key = shown(await make_key(runtime, "tasks:run:*"))
        for _ in range(3):
            larger = await submit(4)
            assert larger.status_code == 422
            assert larger.json()["code"] == "quota-exceeded"
            assert "at most 3" in larger.json()["detail"]
            assert larger.json()["errors"][0]["pointer"] == "/items"
        assert_limited(await submit(1), "3/minute")
        assert (await runtime.stats.read(runtime.caller)).tasks.total() == 5


async def test_requests_at_once_are_counted_each(runtime: Runtime) -> None:
    async with limited(runtime, rate_limit="3/minute") as (api, _):
        key = shown(await make_key(runtime, "tasks:read"))
        answers = await asyncio.gather(*(api.get("/tasks", headers=key) for _ in range(60)))
        assert sorted(each.status_code for each in answers) == [200] * 3 + [429] * 57


async def test_what_redis_holds_is_under_the_name_of_the_deployment(
    runtime: Runtime, redis_server: ValkeyServer
) -> None:
    async with limited(runtime, rate_limit="3/minute") as (api, opened):
        token = await make_key(runtime, "tasks:read")
        before = set(keys_of(redis_server))
        await api.get("/tasks", headers=shown(token))
        assert opened.naming.names is not None
        new = set(keys_of(redis_server)) - before
        assert [each.startswith(opened.naming.names.rates) for each in new] == [True]
        assert token.id in new.pop()


def keys_of(server: ValkeyServer) -> list[str]:
    with server.client() as client:
        found: list[str] = client.keys("*")  # type: ignore[assignment]
    return found


async def refused_again(api: httpx.AsyncClient, key: dict[str, str]) -> None:
    """Send requests until one is refused, because Redis counts again."""
    async with asyncio.timeout(60):
        while (await api.get("/tasks", headers=key)).status_code == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_all_are_let_through_while_redis_is_dead(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    with ValkeyServer() as own:
        url = SecretStr(own.url)
        async with limited(runtime, rate_limit="3/minute", redis_url=url) as (api, opened):
            key = shown(await make_key(runtime, "tasks:read"))
            for _ in range(3):
                assert (await api.get("/tasks", headers=key)).status_code == 200
            assert_limited(await api.get("/tasks", headers=key), "3/minute")
            own.kill()
            for _ in range(20):
                assert (await api.get("/tasks", headers=key)).status_code == 200
            assert opened.rate_limits.unchecked == 20
            own.start()
            await refused_again(api, key)
    said = [line for line in caplog.messages if line.startswith("requests are not counted")]
    assert len(said) == 1, said


async def test_all_are_let_through_at_once_while_redis_hangs(runtime: Runtime) -> None:
    with ValkeyServer() as own, Proxy(own.port) as proxy:
        url = SecretStr(proxy.through(own.url))
        async with limited(runtime, rate_limit="3/minute", redis_url=url) as (api, opened):
            key = shown(await make_key(runtime, "tasks:read"))
            assert (await api.get("/tasks", headers=key)).status_code == 200
            proxy.silence()
            asked = proxy.accepted
            together = await asyncio.gather(*(api.get("/tasks", headers=key) for _ in range(200)))
            later = [await api.get("/tasks", headers=key) for _ in range(20)]
            assert {each.status_code for each in (*together, *later)} == {200}
            assert opened.rate_limits.unchecked == 220
            assert proxy.accepted - asked < 100, "most do not even ask"
            proxy.flow()
            await refused_again(api, key)


async def test_a_slow_redis_holds_nobody_up_and_counts_right_afterwards(runtime: Runtime) -> None:
    """An answer that comes too late must not be taken for that of another request."""
    with ValkeyServer() as own, Proxy(own.port) as proxy:
        url = SecretStr(proxy.through(own.url))
        async with limited(runtime, redis_url=url) as (api, opened):
            free = shown(await make_key(runtime, "tasks:read", rate_limit="100/minute"))
            spent = shown(await make_key(runtime, "tasks:read", rate_limit="1/minute"))
            for key in (free, spent):
                assert (await api.get("/tasks", headers=key)).status_code == 200
            proxy.delay = 1.0
            answers = await asyncio.gather(*(api.get("/tasks", headers=spent) for _ in range(20)))
            assert {each.status_code for each in answers} == {200}
            assert opened.rate_limits.unchecked == 20
            proxy.delay = 0.0
            await refused_again(api, spent)
            for _ in range(20):
                assert (await api.get("/tasks", headers=free)).status_code == 200
                assert (await api.get("/tasks", headers=spent)).status_code == 429


async def test_nobody_is_limited_without_redis(runtime: Runtime) -> None:
    async with limited(runtime, rate_limit="1/minute", redis_url=None) as (api, opened):
        key = shown(await make_key(runtime, "tasks:read"))
        for _ in range(3):
            assert (await api.get("/tasks", headers=key)).status_code == 200
        assert opened.rate_limits.unchecked == 3


class Counting(httpx.ASGITransport):
    """A transport that counts the refusals."""

    refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.refused += response.status_code == 429
        return response


async def test_the_client_waits_as_long_as_it_is_told(runtime: Runtime) -> None:
    async with limited(runtime) as (_, opened):
        token = await make_key(runtime, "tasks:read", rate_limit="2/second")
        transport = Counting(create_app(runtime=opened))
        client = AsyncTaskqClient("http://taskq", api_key=token.text, transport=transport)
        async with client, asyncio.timeout(60):
            while not transport.refused:
                await asyncio.gather(*(client.stats() for _ in range(3)))
