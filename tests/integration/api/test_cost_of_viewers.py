"""What those who look on cost the database: one statement a second, however many they are."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from sqlalchemy import event

from taskq_server.domain.caller import Caller as Of
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.callers import Caller
from tests.integration.api.scoped import publish_in, task_of
from tests.integration.api.statements import Statements
from tests.support.mariadb import MariaDBServer

SECONDS = 5
SPARE = 2
"""Statements that are not of the counts: a process asks for the time every five seconds."""


@pytest.fixture(scope="module")
def mariadb_server() -> Iterator[MariaDBServer]:
    """One of its own, because it counts all that it is asked, by whomever."""
    with MariaDBServer() as server:
        yield server


async def asked_in_a_while(runtime: Runtime) -> int:
    """Return how many statements there are in some seconds."""
    statements = Statements(runtime, "SELECT")
    before, began = await statements.read(), time.monotonic()
    await asyncio.sleep(SECONDS)
    asked = await statements.read() - before
    assert time.monotonic() - began < 2 * SECONDS, "the machine is too busy to measure"
    return asked["statements"]


@asynccontextmanager
async def viewers(runtime: Runtime, number: int) -> AsyncIterator[None]:
    """Look on while the block runs."""
    app = create_app(runtime=runtime)
    callers = [Caller() for _ in range(number)]
    served = [caller.get(app, "/stats/events") for caller in callers]
    for caller in callers:
        while b"event: stats" not in (await caller.piece() or b"event: stats"):
            pass
    yield
    for caller in callers:
        caller.hangs_up.set()
    await asyncio.gather(*served)


async def test_they_share_one_statement_a_second(runtime: Runtime) -> None:
    await publish_in(runtime, "default")
    await task_of(runtime, None)
    asked = {}
    for number in (1, 20):
        async with viewers(runtime, number):
            asked[number] = await asked_in_a_while(runtime)
    await asyncio.sleep(1.5)  # the last counts are kept for a second
    asked[0] = await asked_in_a_while(runtime)
    print(asked)
    for number in (1, 20):
        assert SECONDS - 2 <= asked[number] <= SECONDS + SPARE, asked
    assert asked[0] <= SPARE, asked


async def test_all_namespaces_are_read_together(runtime: Runtime) -> None:
    with ExitStack() as stack:
        callers = [Of(f"n{number}") for number in range(10)]
        views = [stack.enter_context(runtime.stats_feed.view(each)) for each in callers]
        await asyncio.gather(*(view.first() for view in views))
        asked = await asked_in_a_while(runtime)
    assert SECONDS - 2 <= asked <= SECONDS + SPARE


async def test_who_comes_and_goes_causes_no_further_read(runtime: Runtime) -> None:
    asked = 0

    def note(*said: object) -> None:
        nonlocal asked
        asked += "task_counts" in str(said[2])

    event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", note)
    began = time.monotonic()
    for _ in range(100):
        with runtime.stats_feed.view(Of("default")) as view:
            await view.first()
            await asyncio.sleep(0.005)  # whatever the feed does about it, it does now
    assert 1 <= asked <= 2 + (time.monotonic() - began)
