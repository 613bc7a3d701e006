"""Probes, the catalog, and a database that is away."""

import re
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.mariadb import MariaDBServer

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}}

ROUTES = [
    ("POST", "/tasks", ECHO),
    ("POST", "/tasks/batch", {"items": [ECHO]}),
    ("POST", "/tasks/wait", {"ids": [NOBODY]}),
    ("GET", "/tasks", None),
    ("GET", f"/tasks/{NOBODY}", None),
    ("PATCH", f"/tasks/{NOBODY}", {"title": "x"}),
    ("DELETE", f"/tasks/{NOBODY}", None),
    ("POST", f"/tasks/{NOBODY}/cancel", None),
    ("POST", f"/tasks/{NOBODY}/retry", None),
    ("GET", f"/tasks/{NOBODY}/attempts", None),
    ("GET", "/tags", None),
    ("GET", "/handlers", None),
    ("GET", "/stats", None),
    ("GET", "/workers", None),
]


async def test_all_is_well(api: httpx.AsyncClient) -> None:
    assert (await api.get("/livez")).json() == {"status": "ok"}
    response = await api.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "redis": "ok", "reasons": []}


async def test_the_handlers(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    items = (await api.get("/handlers")).json()["items"]
    assert [each["name"] for each in items] == ["taskq.echo", "taskq.flaky", "taskq.sleep"]
    assert items[0] == {
        "name": "taskq.echo",
        "description": "Answer the value.",
        "schema": items[0]["schema"],
        "max_retries": 3,
        "timeout_seconds": 300.0,
        "queue": "default",
        "priority": "normal",
        "tags": [],
        "unique_key": None,
        "workers": 0,
    }
    assert items[0]["schema"]["required"] == ["value"]


async def test_the_tags(api: httpx.AsyncClient, submit: Submit) -> None:
    assert (await api.get("/tags")).json() == {"items": []}
    await submit(tags=["b", "ä"])
    await submit(tags=["b"])
    items = (await api.get("/tags")).json()["items"]
    assert sorted(items, key=lambda each: each["name"]) == [
        {"name": "b", "count": 2},
        {"name": "ä", "count": 1},
    ]


async def check_away(api: httpx.AsyncClient) -> None:
    """Every route says so soon; the process is alive all the same."""
    for method, path, body in ROUTES:
        began = time.monotonic()
        response = await api.request(method, path, json=body)
        assert time.monotonic() - began < 10, path
        assert (response.status_code, response.json()["code"]) == (503, "database-unavailable")
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) >= 1
    ready = await api.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert ready.json()["reasons"] == ["database-unavailable"]
    assert ready.headers["retry-after"] == "1"
    assert (await api.get("/livez")).status_code == 200
    assert (await api.get("/openapi.json")).status_code == 200


async def test_a_database_that_was_never_there(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'nowhere' / 'taskq.db'}"
    async with open_runtime(Settings(database_url=url, auth="off")) as runtime:
        transport = httpx.ASGITransport(create_app(runtime=runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as api:
            await check_away(api)
            schemas = (await api.get("/openapi.json")).json()["components"]["schemas"]
            assert "examples" not in schemas["TaskCreate"]["properties"]["handler"]


async def test_a_database_that_comes_back() -> None:
    with MariaDBServer(flush_log=2) as server, server.database() as url:
        async with open_runtime(Settings(database_url=url, auth="off")) as runtime:
            await migrations.upgrade(runtime.database)
            await ScriptedWorker(runtime).publish()
            transport = httpx.ASGITransport(create_app(runtime=runtime))
            async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as api:
                assert (await api.post("/tasks", json=ECHO)).status_code == 201
                server.kill()
                await check_away(api)
                server.start()
                assert (await api.get("/readyz")).status_code == 200
                assert (await api.post("/tasks", json=ECHO)).status_code == 201
                assert len((await api.get("/tasks")).json()["items"]) == 2


async def test_the_application_opens_and_closes_its_own_runtime(sqlite_url: str) -> None:
    app = create_app(Settings(database_url=sqlite_url, auth="off"))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://taskq") as api,
    ):
        assert (await api.get("/readyz")).json()["database"] == "ok"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_pages_for_people(api: httpx.AsyncClient, path: str) -> None:
    response = await api.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in response.text
    assert re.findall(r"(?:src|href)=\"(?!/)[^\"]*", response.text) == []


async def test_the_bare_address_leads_to_the_page_for_people(api: httpx.AsyncClient) -> None:
    for method in ("GET", "HEAD"):
        response = await api.request(method, "/")
        assert (response.status_code, response.headers["location"]) == (307, "/dashboard")
        assert response.content == b""
    assert "/" not in (await api.get("/openapi.json")).json()["paths"]


@pytest.mark.parametrize(
    ("changed", "page"), [({"dashboard": "off"}, "/docs"), ({"dashboard_path": "/ops"}, "/ops")]
)
async def test_the_bare_address_leads_to_what_is_served(
    runtime: Runtime, changed: dict[str, str], page: str
) -> None:
    other = replace(runtime, settings=runtime.settings.model_copy(update=changed))
    transport = httpx.ASGITransport(create_app(runtime=other))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        assert (await client.get("/")).headers["location"] == page
        assert (await client.get(page)).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_pages_for_people_load_nothing_from_elsewhere(
    api: httpx.AsyncClient, path: str
) -> None:
    response = await api.get(path)
    policy = dict(
        rule.strip().split(" ", 1)
        for rule in response.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    sources = {source for rule in policy.values() for source in rule.split()}
    assert sources == {"'self'", "'none'", "'unsafe-inline'", "data:", "blob:"}


async def test_redoc_does_not_ask_for_its_logo(api: httpx.AsyncClient) -> None:
    """A browser would write on its console that the policy forbids it."""
    script = await api.get("/docs/assets/redoc.standalone.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert int(script.headers["content-length"]) == len(script.content) > 100_000
    assert "cdn.redoc.ly" not in script.text
    known = {"If-None-Match": script.headers["etag"]}
    again = await api.get("/docs/assets/redoc.standalone.js", headers=known)
    assert again.status_code == 304


async def test_the_validator_of_swagger_is_off(api: httpx.AsyncClient) -> None:
    assert '"validatorUrl": null' in (await api.get("/docs")).text
