"""Under a prefix: behind a proxy that takes it off, behind one that does not, and mounted."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from taskq_server.cli._http.server import listen, serve
from taskq_server.core.config import Settings
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.test_submit import ECHO
from tests.unit.server.core.test_proxies import HOSTILE

pytestmark = pytest.mark.usefixtures("worker")

LOOPBACK = "127.0.0.0/8"
ORDINARY_LANE = {"Prefer": "the-ordinary-lane"}
SENDABLE = [
    each.encode()
    for each in HOSTILE
    if each == each.strip() and not re.search(r"[\r\n\0]", each) and len(each) < 10_000
]
"""What a field of HTTP/1.1 can say of it."""


@asynccontextmanager
async def served(
    runtime: Runtime, *, allowed_hosts: Collection[str] | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """The application over real connections."""
    changed = Settings.load(**{**runtime.settings.model_dump(), "port": 0, **settings})
    app = create_app(runtime=replace(runtime, settings=changed), allowed_hosts=allowed_hosts)
    stop = asyncio.Event()
    with listen(changed) as listener:
        serving = asyncio.create_task(serve(app, listener, stop))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=180) as http:
                yield http
        finally:
            stop.set()
            await serving


async def check_addresses(
    http: httpx.AsyncClient, prefix: str, kept: str, headers: dict[str, str] | None = None
) -> None:
    """Everything that names an address names the one under `prefix`.

    Args:
        prefix: by which callers reach the application.
        kept: what is left of it in the paths that arrive.
        headers: of the proxy.
    """
    ours = headers or {}
    for lane in ({}, ORDINARY_LANE):
        created = await http.post(f"{kept}/tasks", json=ECHO, headers={**ours, **lane})
        assert created.status_code == 201, created.text
        assert created.headers["location"] == f"{prefix}/tasks/{created.json()['id']}"
        there = f"{kept}/tasks/{created.json()['id']}"
        assert (await http.get(there, headers=ours)).json() == created.json()
    page = await http.get(f"{kept}/tasks?limit=1", headers=ours)
    assert page.links["next"]["url"].startswith(f"{prefix}/tasks?limit=1&cursor=")
    document = (await http.get(f"{kept}/openapi.json", headers=ours)).json()
    assert document.get("servers", [{"url": ""}]) == [{"url": prefix}]
    assert "/tasks/{task_id}" in document["paths"]
    for name in ("docs", "redoc"):
        shown = (await http.get(f"{kept}/{name}", headers=ours)).text
        paths = re.findall(r"(?:src|href|url|spec-url)[=:] ?[\"'](/[^\"']*)", shown)
        assert f"{prefix}/openapi.json" in paths
        assert len(paths) > 2
        for path in paths:
            assert path.startswith(f"{prefix}/"), (name, path)
            asset = await http.head(kept + path.removeprefix(prefix), headers=ours)
            assert asset.status_code == 200, path
    for method, path, status in (
        *(("GET", "/nowhere", 404), ("PUT", "/tasks", 405), ("HEAD", "/stats", 200)),
        *(("GET", "/docs/assets/nothing", 404), ("GET", "/livez", 200)),
    ):
        answer = await http.request(method, kept + path, headers=ours)
        assert answer.status_code == status, path
    for method in ("GET", "HEAD"):
        answer = await http.request(method, f"{kept}/", headers=ours)
        assert (answer.status_code, answer.headers["location"]) == (307, f"{prefix}/dashboard")


# What begins like a path of ours must be told from it.
PREFIXES = ("/queue/", "/user/a@b.example/http:taskq:80", "/tasks", "/docs")


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_the_prefix_of_the_settings(runtime: Runtime, prefix: str) -> None:
    bare = prefix.removesuffix("/")
    async with served(runtime, root_path=prefix) as http:
        await check_addresses(http, bare, "")
        await check_addresses(http, bare, bare)


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_the_prefix_that_a_trusted_proxy_names(runtime: Runtime, prefix: str) -> None:
    bare, named = prefix.removesuffix("/"), {"X-Forwarded-Prefix": prefix}
    async with served(runtime, trusted_proxies=f"10.0.0.0/8,{LOOPBACK}") as http:
        await check_addresses(http, bare, "", named)
        await check_addresses(http, bare, bare, named)
        await check_addresses(http, "", "")


async def test_the_prefix_of_a_proxy_goes_before_that_of_the_settings(runtime: Runtime) -> None:
    async with served(runtime, root_path="/queue", trusted_proxies="127.0.0.1") as http:
        await check_addresses(http, "/other", "", {"X-Forwarded-Prefix": "/other"})
        await check_addresses(http, "", "", {"X-Forwarded-Prefix": "/"})
        await check_addresses(http, "/queue", "")


@pytest.mark.parametrize(
    ("trusted", "root_path"), [("", "/queue"), ("10.0.0.0/8,::1,127.0.0.2", "")]
)
async def test_nobody_else_can_name_one(runtime: Runtime, trusted: str, root_path: str) -> None:
    async with served(runtime, trusted_proxies=trusted, root_path=root_path) as http:
        for given in (b"/other", *SENDABLE):
            named = {"X-Forwarded-Prefix": given, "X-Forwarded-For": b"127.0.0.2"}
            created = await http.post("/tasks", json=ECHO, headers=named)
            assert created.status_code == 201, given
            assert created.headers["location"].startswith(f"{root_path}/tasks/"), given
            assert (await http.get("/other/tasks", headers=named)).status_code == 404


async def test_a_proxy_cannot_name_what_is_none(runtime: Runtime) -> None:
    async with served(runtime, trusted_proxies=LOOPBACK) as http:
        assert len(SENDABLE) > 25
        for given in SENDABLE:
            for path in ("/tasks", "/docs", "/livez"):
                refused = await http.get(path, headers={"X-Forwarded-Prefix": given})
                assert (refused.status_code, refused.json()["code"]) == (400, "invalid-header")
                assert "must be the beginning of a path" in refused.json()["detail"]
        twice = [("X-Forwarded-Prefix", "/queue")] * 2
        refused = await http.post("/tasks", json=ECHO, headers=twice)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid-header")
        assert "once" in refused.json()["detail"]
        assert (await http.get("/tasks")).json()["items"] == []


async def test_probes_answer_to_any_host_under_a_prefix(runtime: Runtime) -> None:
    other = {"Host": "evil.example"}
    async with served(runtime, root_path="/queue", allowed_hosts=[]) as http:
        for prefix in ("", "/queue"):
            assert (await http.get(f"{prefix}/readyz", headers=other)).status_code == 200
            assert (await http.get(f"{prefix}/tasks", headers=other)).status_code == 421
        assert (await http.get("/other/readyz", headers=other)).status_code == 421


@asynccontextmanager
async def mounted(
    inner: Starlette, path: str, *, outer: str = "", enter: bool = True
) -> AsyncIterator[httpx.AsyncClient]:
    """An application of somebody else's that mounts ours; it is behind the prefix `outer`."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if not enter:
            yield
            return
        async with inner.router.lifespan_context(inner):
            yield

    app = Starlette(lifespan=lifespan, routes=[Mount(path, inner)])
    transport = httpx.ASGITransport(app, root_path=outer, client=("127.0.0.1", 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://taskq") as http,
    ):
        yield http


async def test_mounted(runtime: Runtime) -> None:
    async with mounted(create_app(runtime=runtime), "/queue") as http:
        await check_addresses(http, "/queue", "/queue")
    async with mounted(create_app(runtime=runtime), "/b", outer="/a") as http:
        await check_addresses(http, "/a/b", "/a/b")


async def test_mounted_behind_a_proxy_that_takes_its_prefix_off(runtime: Runtime) -> None:
    settings = Settings.load(**{**runtime.settings.model_dump(), "trusted_proxies": LOOPBACK})
    app = create_app(runtime=replace(runtime, settings=settings))
    async with mounted(app, "/queue") as http:
        named = {"X-Forwarded-Prefix": "/api"}
        await check_addresses(http, "/api/queue", "/queue", named)
        await check_addresses(http, "/queue", "/queue")


async def test_mounted_where_the_settings_say(runtime: Runtime) -> None:
    settings = runtime.settings.model_copy(update={"root_path": "/queue"})
    app = create_app(runtime=replace(runtime, settings=settings))
    async with mounted(app, "/queue") as http:
        await check_addresses(http, "/queue", "/queue")


async def test_mounted_in_fastapi_with_its_own_runtime(
    migrated_url: str, redis_url: str, worker: ScriptedWorker
) -> None:
    settings = Settings(database_url=migrated_url, redis_url=redis_url, auth="off")
    inner = create_app(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/queue", inner)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://taskq") as http,
    ):
        await check_addresses(http, "/queue", "/queue")


async def test_mounted_and_not_told_who_reaches_it_asks_for_a_key(runtime: Runtime) -> None:
    settings = runtime.settings.model_copy(update={"auth": "auto"})
    async with mounted(create_app(runtime=replace(runtime, settings=settings)), "/queue") as http:
        for path in ("/queue/tasks", "/queue/docs", "/queue/nowhere"):
            answer = await http.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_prefix_that_callers_choose_stays_on_this_host(runtime: Runtime) -> None:
    inner = create_app(runtime=runtime)
    for path, given, shown in (
        ("/{tenant}", "/%0d%0aSet-Cookie:x", "/%0D%0ASet-Cookie:x"),
        ("/{tenant}", "/a%22%3E%3Cscript%3E'", "/a%22%3E%3Cscript%3E%27"),
        ("/{tenant}", "/k%C3%A4se", "/k%C3%A4se"),
        ("/{rest:path}/t", "//evil.example/t", "/evil.example/t"),
    ):
        async with mounted(inner, path) as http:
            created = await http.post(f"http://taskq{given}/tasks", json=ECHO)
            assert created.headers["location"].startswith(f"{shown}/tasks/"), given
            document = (await http.get(f"http://taskq{given}/openapi.json")).json()
            assert document["servers"] == [{"url": shown}]
            page = (await http.get(f"http://taskq{given}/docs")).text
            assert f"'{shown}/openapi.json'" in page or f'"{shown}/openapi.json"' in page


async def test_without_its_lifespan_it_says_so(sqlite_url: str) -> None:
    inner = create_app(Settings(database_url=sqlite_url, auth="off"))
    async with mounted(inner, "/queue", enter=False) as http:
        for method, path in (
            *(("GET", "/tasks"), ("POST", "/tasks"), ("POST", "/tasks/batch"), ("GET", "/stats")),
            *(("GET", "/livez"), ("GET", "/readyz"), ("GET", "/docs"), ("GET", "/openapi.json")),
        ):
            answer = await http.request(method, f"/queue{path}", json=ECHO)
            assert (answer.status_code, answer.json()["code"]) == (500, "not-started"), path
            assert "`app.router.lifespan_context(app)`" in answer.json()["detail"]
            assert answer.json()["title"] == "Application not started"
    async with mounted(inner, "/queue") as http:
        assert (await http.get("/queue/livez")).status_code == 200
        assert (await http.get("/queue/stats")).status_code == 503  # its tables are not there
    async with mounted(inner, "/queue", enter=False) as http:
        assert (await http.get("/queue/stats")).json()["code"] == "not-started"
