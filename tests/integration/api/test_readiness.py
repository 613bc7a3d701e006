"""Why a server is not ready, and who is told."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from tests.integration.api.keys import asking_for_keys, calling_closed, make_key, shown
from tests.support.mariadb import MariaDBServer

PLAIN = {"status": "ok", "database": "ok", "redis": "ok"}
AWAY = {"status": "unavailable", "database": "unavailable"}
WRONG = {"Authorization": f"Bearer tq_{'A' * 12}_{'A' * 43}"}


@asynccontextmanager
async def calling(runtime: Runtime, *hosts: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(runtime=runtime, allowed_hosts=hosts or None)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


def on_loopback(runtime: Runtime) -> Runtime:
    """Ask for a key once there is one."""
    return replace(runtime, settings=runtime.settings.model_copy(update={"auth": "auto"}))


async def test_only_who_may_read_metrics_is_told(runtime: Runtime) -> None:
    async with calling_closed(runtime) as client:
        told = [
            shown(await make_key(runtime, "metrics:read")),
            shown(await make_key(runtime, "tasks:read", "metrics:read", namespace="*")),
        ]
        untold = [
            {},
            WRONG,
            {"Authorization": "Bearer nonsense"},
            {"Authorization": "Basic dXNlcjp4"},
            shown(await make_key(runtime, "tasks:read", "tasks:write", "tasks:run:*")),
            shown(await make_key(runtime, "metrics:read", revoked_at=runtime.clock())),
        ]
        for headers in told:
            response = await client.get("/readyz", headers=headers)
            assert (response.status_code, response.json()) == (200, {**PLAIN, "reasons": []})
        for headers in untold:
            response = await client.get("/readyz", headers=headers)
            assert (response.status_code, response.json()) == (200, PLAIN)


async def test_probes_without_a_key_are_not_in_the_log(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="taskq.server.keys"):
        async with calling_closed(runtime) as client:
            assert (await client.get("/readyz")).json() == PLAIN
    assert caplog.messages == []


async def test_all_are_told_until_the_first_key_is_made(runtime: Runtime) -> None:
    async with calling(on_loopback(runtime), "taskq") as client:
        assert (await client.get("/readyz")).json() == {**PLAIN, "reasons": []}
        foreign = await client.get("/readyz", headers={"Host": "evil.example"})
        assert (foreign.status_code, foreign.json()) == (200, PLAIN)
        key = shown(await make_key(runtime, "metrics:read"))
        runtime.authentication.forget()
        assert (await client.get("/readyz")).json() == PLAIN
        assert (await client.get("/readyz", headers=key)).json() == {**PLAIN, "reasons": []}


async def test_a_schema_of_another_version(runtime: Runtime) -> None:
    head = migrations.head()
    async with calling(runtime) as client:
        for other in ("0001", "9999"):
            await set_revision(runtime, other)
            try:
                response = await client.get("/readyz")
            finally:
                await set_revision(runtime, head)
            assert response.status_code == 503
            assert response.json() == {
                **PLAIN,
                "status": "unavailable",
                "reasons": ["schema-mismatch"],
            }
        assert (await client.get("/readyz")).json() == {**PLAIN, "reasons": []}


async def set_revision(runtime: Runtime, revision: str) -> None:
    change = text("UPDATE alembic_version SET version_num = :revision")
    await runtime.database.write(lambda c: c.execute(change, {"revision": revision}))


async def test_a_server_that_stops(runtime: Runtime) -> None:
    async with calling(runtime) as client:
        runtime.wait.drain()
        response = await client.get("/readyz")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.json() == {**PLAIN, "status": "unavailable", "reasons": ["draining"]}


async def test_whoever_was_told_before_is_told_when_the_database_is_away() -> None:
    """Nobody can say by then what a key opens, and that is when reasons matter."""
    with MariaDBServer(flush_log=2) as server, server.database() as url:
        settings = Settings(database_url=url, auth="auto", database_connect_seconds=1)
        async with open_runtime(settings) as runtime:
            await migrations.upgrade(runtime.database)
            async with calling(runtime, "taskq") as open_one:
                assert (await open_one.get("/readyz")).json()["reasons"] == []
                server.kill()
                assert (await open_one.get("/readyz")).json() == no_database(is_told=True)
                server.start()
            key = shown(await make_key(runtime, "metrics:read"))
            other = shown(await make_key(runtime, "tasks:read"))
            async with calling(asking_for_keys(runtime)) as closed:
                for headers in (key, other):
                    assert (await closed.get("/readyz", headers=headers)).status_code == 200
                server.kill()
                for headers, is_told in ((key, True), (other, False), (WRONG, False), ({}, False)):
                    began = time.monotonic()
                    response = await closed.get("/readyz", headers=headers)
                    assert time.monotonic() - began < 10
                    assert (response.status_code, response.json()) == (503, no_database(is_told))


def no_database(is_told: bool) -> dict[str, object]:
    said: dict[str, object] = {**AWAY, "redis": "unavailable"}
    return {**said, "reasons": ["database-unavailable"]} if is_told else said
