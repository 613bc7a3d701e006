"""A loop that stood still does not blame the database for it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from taskq_server.core.config import Settings
from taskq_server.domain.requests import NewTask
from taskq_server.runtime import Runtime, open_runtime
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

NEW = NewTask(handler="taskq.echo", payload={"value": 1})


@pytest.fixture
async def runtime(migrated_url: str, redis_url: str) -> AsyncIterator[Runtime]:
    settings = Settings(database_url=migrated_url, redis_url=redis_url, auth="off")  # type: ignore[arg-type]
    async with open_runtime(settings) as opened:
        await ScriptedWorker(opened).publish()
        yield opened


def stand_still() -> None:
    """Longer than a probe waits, and than anybody waits for a connection."""
    time.sleep(2)


@pytest.mark.parametrize("turns", [2, 5, 30])
async def test_whoever_asks_meanwhile_gets_an_answer(runtime: Runtime, turns: int) -> None:
    async with asyncio.timeout(60):
        probes = [asyncio.create_task(runtime.readiness.check()) for _ in range(20)]
        submits = [asyncio.create_task(runtime.submit.one(CALLER, NEW)) for _ in range(5)]
        for _ in range(turns):
            await asyncio.sleep(0)
        stand_still()
        assert {probe.database for probe in await asyncio.gather(*probes)} == {"ok"}
        assert len(await asyncio.gather(*submits)) == 5
