"""The real app over the real runtime, called without a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.main import create_app
from taskq_server.models import Base, Deployment, Namespace
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.firing import Firing
from tests.integration.api.keys import ALL, Headers, calling_closed, make_key, shown
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.databases import DATABASES
from tests.support.schedules import Time, fleet

_WRITTEN_BY_MIGRATIONS = {Deployment.__tablename__, Namespace.__tablename__}

Submit = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="module", params=DATABASES, ids=lambda kind: kind.name)
def migrated_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database of each kind; migrating is too slow to do it for every test."""
    with request.param.empty(request) as url:
        asyncio.run(migrate(url))
        yield url


async def migrate(url: str) -> None:
    """Create the tables of an empty database."""
    database = Database(url)
    await migrations.upgrade(database)
    await database.close()


async def _empty(connection: AsyncConnection) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        if table.name not in _WRITTEN_BY_MIGRATIONS:
            await connection.execute(table.delete())


@pytest.fixture
async def runtime(migrated_url: str, redis_url: str) -> AsyncIterator[Runtime]:
    """A runtime on an empty database of each kind, with small limits."""
    settings = Settings(
        database_url=migrated_url,
        redis_url=redis_url,
        auth="off",
        database_connect_seconds=30,  # on a busy machine the database answers late
        max_body_bytes=65_536,
        max_batch_bytes=131_072,
        max_payload_bytes=1_024,
    )
    async with open_runtime(settings) as opened:
        await opened.database.write(_empty)
        yield opened


@pytest.fixture
async def worker(runtime: Runtime) -> ScriptedWorker:
    """A worker that has published the built-in handlers."""
    played = ScriptedWorker(runtime)
    await played.publish()
    return played


@pytest.fixture
async def api(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """The API."""
    transport = httpx.ASGITransport(create_app(runtime=runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


@pytest.fixture
def submit(api: httpx.AsyncClient, worker: ScriptedWorker) -> Submit:
    """Submit a task that echoes 1: `await submit(title="x")`."""

    async def post(**fields: Any) -> dict[str, Any]:
        body = {"handler": "taskq.echo", "payload": {"value": 1}, **fields}
        response = await api.post("/tasks", json=body)
        assert response.status_code == 201, response.text
        task: dict[str, Any] = response.json()
        return task

    return post


@pytest.fixture
def time(worker: ScriptedWorker) -> Time:
    """The clock of the schedules, which a test moves."""
    return Time()


@pytest.fixture
async def firing(runtime: Runtime, time: Time) -> AsyncIterator[Firing]:
    """What one process fires schedules with, on that clock."""
    async with fleet(runtime, time) as one:
        yield one


@pytest.fixture
async def closed(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """An API that asks for keys."""
    async with calling_closed(runtime) as client:
        yield client


@pytest.fixture
async def admin(runtime: Runtime) -> Headers:
    """A namespace's key that may do everything there."""
    return shown(await make_key(runtime, *ALL))
