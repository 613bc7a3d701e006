"""Deployments for the check: healthy ones, and what it finds in them."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from taskq_server import migrations
from taskq_server.broker.connection import connect
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.crud import api_keys, workers
from taskq_server.doctor.checks import examine
from taskq_server.doctor.findings import Finding, Outcome, Patient
from taskq_server.domain.keys import new_token
from taskq_server.domain.worker import WorkerRow
from taskq_server.services.admin_key import as_key


async def found_in(
    database_url: str,
    redis_url: str | None = None,
    *,
    wall: Callable[[], float] = time.time,
    **settings: Any,
) -> dict[str, Finding]:
    """Examine the deployment of a process with these settings."""
    given = Settings.load(database_url=database_url, redis_url=redis_url, **settings)
    redis = None if redis_url is None else connect(redis_url)
    async with opened(database_url) as database:
        patient = Patient(settings=given, database=database, redis=redis, wall=wall)
        try:
            return await examine(patient)
        finally:
            if redis is not None:
                await redis.aclose(close_connection_pool=True)


async def wrong_in(database_url: str, redis_url: str | None = None, **more: Any) -> dict[str, str]:
    """What is wrong there, by the name of the check."""
    found = await found_in(database_url, redis_url, **more)
    return {name: one.says for name, one in found.items() if one.outcome is Outcome.WRONG}


async def make_well(database_url: str) -> None:
    """Migrate a database, and give it a worker and a key."""
    async with opened(database_url) as database:
        await migrations.upgrade(database)
        await add_worker(database)
        now = await database.now()
        await database.write(lambda c: api_keys.add(c, as_key(new_token(), now)))


async def add_worker(
    database: Database,
    *,
    queues: Sequence[str] = ("default",),
    handlers: Sequence[str] = (),
    namespaces: Sequence[str] = ("default",),
    lease: timedelta = timedelta(hours=1),
) -> None:
    """Insert a worker."""
    now = await database.now()
    row = WorkerRow(
        id=uuid4(),
        name="host:1",
        queues=json.dumps(queues),
        handlers=json.dumps(handlers),
        namespaces=json.dumps(namespaces),
        concurrency=1,
        started_at=now,
        heartbeat_at=now,
        lease_until=now + lease,
    )
    await database.write(lambda c: workers.register(c, row))


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Database]:
    """A database that is closed at the end, and that counts as hung after a second."""
    database = Database(database_url, pool_size=1, connect_seconds=1.0, hang_seconds=1.0)
    try:
        yield database
    finally:
        await database.close()
