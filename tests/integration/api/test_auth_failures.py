"""An address that sends wrong keys is told to wait, and nobody is refused who has a right one."""

from contextlib import AsyncExitStack
from ipaddress import ip_network

import httpx
import pytest

from taskq_server.domain.keys import new_token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import make_key, shown
from tests.integration.api.limited import limited

MOST = 3
PROXY = "10.0.0.7"


async def fail(api: httpx.AsyncClient, forwarded: str = "", times: int = 1) -> list[int]:
    """Send wrong keys; return the statuses."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    wrong = [{**shown(new_token()), **headers} for _ in range(times)]
    return [(await api.get("/tasks", headers=each)).status_code for each in wrong]


async def test_an_address_may_fail_so_often(runtime: Runtime) -> None:
    async with limited(runtime, max_auth_failures=MOST) as (api, _):
        right = await make_key(runtime, "tasks:read")
        bad = {"Authorization": f"Bearer tq_{right.id}_{'A' * 43}"}
        assert [(await api.get("/tasks", headers=bad)).status_code for _ in range(2)] == [401] * 2
        assert await fail(api) == [401]
        for wrong in (bad, shown(new_token()), {"Authorization": "Basic YTpi"}):
            refused = await api.get("/tasks", headers=wrong)
            assert refused.status_code == 429
            assert refused.json()["code"] == "rate-limited"
            assert 1 <= int(refused.headers["Retry-After"]) <= 60
            assert "RateLimit" not in refused.headers
        for _ in range(3):
            assert (await api.get("/tasks", headers=shown(right))).status_code == 200
            assert (await api.get("/tasks")).status_code == 401, "it tries no key"


async def test_nothing_tells_whether_an_id_exists(runtime: Runtime) -> None:
    async with limited(runtime, max_auth_failures=MOST) as (api, _):
        await fail(api, times=MOST)
        right = await make_key(runtime, "tasks:read")
        answers = [
            await api.get("/tasks", headers={"Authorization": f"Bearer tq_{each}_{'A' * 43}"})
            for each in (right.id, new_token().id)
        ]
        one, other = ({**each.json(), "instance": "", "request_id": ""} for each in answers)
        assert one == other


@pytest.mark.parametrize(
    ("mine", "other"),
    [("198.51.100.1", "198.51.100.2"), ("2001:db8:1:2::5", "2001:db8:1:3::5")],
)
async def test_each_address_counts_on_its_own(runtime: Runtime, mine: str, other: str) -> None:
    async with limited(runtime, max_auth_failures=MOST) as (_, opened), AsyncExitStack() as stack:

        async def at(address: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(create_app(runtime=opened), client=(address, 1))
            client = httpx.AsyncClient(transport=transport, base_url="http://taskq")
            return await stack.enter_async_context(client)

        assert await fail(await at(mine), times=MOST + 1) == [401] * MOST + [429]
        neighbour = mine.replace("::5", "::6:7:8")
        assert await fail(await at(neighbour)) == [429]
        assert await fail(await at(other)) == [401]
        assert await fail(await at("::ffff:198.51.100.1")) == [429 if "." in mine else 401]


async def test_a_trusted_proxy_says_who_it_is(runtime: Runtime) -> None:
    trusted = (ip_network(f"{PROXY}/32"),)
    async with limited(
        runtime, max_auth_failures=MOST, trusted_proxies=trusted, client=(PROXY, 1)
    ) as (api, _):
        assert await fail(api, "198.51.100.1", MOST + 1) == [401] * MOST + [429]
        assert await fail(api, "198.51.100.2") == [401]
        for forged in ("198.51.100.2, 198.51.100.1", f"1.1.1.1, 198.51.100.1, {PROXY}"):
            assert await fail(api, forged) == [429], "what the caller adds in front counts nothing"


async def test_nobody_else_says_so(runtime: Runtime) -> None:
    async with limited(runtime, max_auth_failures=MOST, client=("203.0.113.9", 1)) as (api, _):
        answers = [(await fail(api, f"198.51.100.{number}"))[0] for number in range(MOST + 1)]
        assert answers == [401] * MOST + [429]
