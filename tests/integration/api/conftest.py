"""The real app over the real runtime, called without a socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from tests.integration.api.played import PlayedWorker

Submit = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def runtime(database_url: str, redis_url: str) -> AsyncIterator[Runtime]:
    """A runtime on an empty, migrated database of each kind, with small limits."""
    settings = Settings(
        database_url=database_url,
        wait_poll_seconds=0.05,
        max_body_bytes=65_536,
        max_batch_bytes=131_072,
        max_payload_bytes=1_024,
    )
    async with open_runtime(settings) as opened:
        await migrations.upgrade(opened.database)
        yield opened


@pytest.fixture
async def worker(runtime: Runtime) -> PlayedWorker:
    """A worker that has published the built-in handlers."""
    played = PlayedWorker(runtime)
    await played.publish()
    return played


@pytest.fixture
async def api(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """The API."""
    transport = httpx.ASGITransport(create_app(runtime=runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


@pytest.fixture
def submit(api: httpx.AsyncClient, worker: PlayedWorker) -> Submit:
    """Submit a task that echoes 1: `await submit(title="x")`."""

    async def post(**fields: Any) -> dict[str, Any]:
        body = {"handler": "taskq.echo", "payload": {"value": 1}, **fields}
        response = await api.post("/tasks", json=body)
        assert response.status_code == 201, response.text
        task: dict[str, Any] = response.json()
        return task

    return post
