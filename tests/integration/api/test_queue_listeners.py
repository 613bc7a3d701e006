"""A submit to a queue without a live worker is stored, and its answer says so."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.sockets import Served, served
from tests.integration.api.test_submit import ECHO
from tests.integration.api.workers import add_worker
from tests.support.callers import CALLER

pytestmark = pytest.mark.usefixtures("worker")

ORDINARY_LANE = {"Prefer": "the-ordinary-lane"}
HEADER = "queue-listeners"


@pytest.fixture
async def server(runtime: Runtime) -> AsyncIterator[Served]:
    async with served(create_app(runtime=runtime), runtime.settings) as one:
        yield one


async def submit(server: Served, **request: Any) -> str | None:
    queue = request.pop("queue", "default")
    answer, _ = await server.post(json={**ECHO, "queue": queue}, **request)
    assert answer.status_code in (200, 201), answer.text
    return answer.headers.get(HEADER)


@pytest.mark.parametrize("headers", [{}, ORDINARY_LANE], ids=["fast path", "route"])
async def test_only_a_queue_without_a_live_worker_is_told_of(
    server: Served, runtime: Runtime, headers: dict[str, str]
) -> None:
    await add_worker(runtime, queues=["default", "a"])
    await add_worker(runtime, queues=["all"], namespaces=["*"])
    await add_worker(runtime, queues=["gone"], lease=-1)
    await add_worker(runtime, queues=["theirs"], namespaces=["theirs"])
    for queue in ("default", "a", "all"):
        assert await submit(server, queue=queue, headers=headers) is None
    for queue in ("b", "gone", "theirs"):
        assert await submit(server, queue=queue, headers=headers) == "0"


async def test_it_is_stored_all_the_same(server: Served, runtime: Runtime) -> None:
    answer, _ = await server.post(json=ECHO)
    assert (answer.status_code, answer.headers[HEADER]) == (201, "0"), "there is no worker at all"
    stored = await runtime.read.get(CALLER, UUID(answer.json()["id"]))
    assert stored.task.status.waiting


async def test_of_a_batch_one_is_enough(server: Served, runtime: Runtime) -> None:
    await add_worker(runtime)
    for queues, expected in ((("default", "default"), None), (("default", "b"), "0")):
        items = [{**ECHO, "queue": queue} for queue in queues]
        asked = {"path": "/tasks/batch", "json": {"items": items}}
        for headers in ({}, {"Prefer": "return=minimal"}, {"Idempotency-Key": "/".join(queues)}):
            for _ in range(2):
                answer, _ = await server.post(**asked, headers=headers)
                assert answer.headers.get(HEADER) == expected


async def test_a_replay_tells_of_a_task_that_waits(
    server: Served, runtime: Runtime, worker: Any
) -> None:
    key = {"Idempotency-Key": "k"}
    answer, _ = await server.post(json={**ECHO, "queue": "default"}, headers=key)
    assert await submit(server, headers=key) == "0"
    await worker.claim(answer.json()["id"])
    assert await submit(server, headers=key) is None


async def test_it_costs_a_submit_no_statement_and_is_two_seconds_old_at_most(
    server: Served, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 100.0
    monkeypatch.setattr(runtime.catalog, "_monotonic", lambda: seconds)
    assert await submit(server) == "0"
    await add_worker(runtime)
    statements: list[str] = []

    def heard(_: Any, __: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", heard)
    for seconds in (100.5, 101.9):  # noqa: B007
        assert await submit(server) == "0"
    assert not [each for each in statements if "workers" in each]
    seconds = 102.1
    for _ in range(3):
        assert await submit(server) is None
    assert len([each for each in statements if "workers" in each]) == 1
