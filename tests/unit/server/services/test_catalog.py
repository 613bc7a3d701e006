"""Which handlers exist, and which payloads fit them."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import event

from taskq_server.core.database import Database
from taskq_server.core.turns import Turns
from taskq_server.crud import workers
from taskq_server.domain.errors import InvalidPayload, UnknownHandler, UnusableHandler
from taskq_server.domain.worker import WorkerRow
from taskq_server.services.catalog import Catalog
from tests.support.callers import CALLER
from tests.unit.server.factories import (
    NOW,
    OTHER_WORKER,
    WORKER,
    make_tags,
    make_task,
    publish,
    seconds,
    store,
)
from tests.unit.server.fake_clock import FakeClock

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "month": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"},
            "rows": {"type": "array", "items": {"type": "integer"}},
            "a/b~c": {"type": "integer"},
        },
        "required": ["month"],
        "additionalProperties": False,
    }
)


@pytest.fixture
def hands() -> FakeClock:
    return FakeClock()


@pytest.fixture
def catalog(database: Database, hands: FakeClock) -> Catalog:
    return Catalog(database, hands, Turns(), monotonic=lambda: hands().timestamp())


async def test_a_published_handler_is_found(database: Database, catalog: Catalog) -> None:
    await publish(database, "build", schema=SCHEMA, max_retries=5, timeout_seconds=60)
    found = (await catalog.require(CALLER, "build")).handler
    assert (found.name, found.max_retries, found.timeout_seconds) == ("build", 5, 60)


async def test_an_unknown_handler_is_refused_with_a_pointer(catalog: Catalog) -> None:
    with pytest.raises(UnknownHandler, match=r"no\.such") as caught:
        await catalog.require(CALLER, "no.such")
    assert [(e.pointer, e.code) for e in caught.value.errors] == [("/handler", "unknown-handler")]


async def test_a_handler_of_another_namespace_is_unknown(
    database: Database, catalog: Catalog
) -> None:
    await publish(database, "build", namespace="theirs")
    with pytest.raises(UnknownHandler):
        await catalog.require(CALLER, "build")


async def test_a_missing_handler_is_looked_up_again_at_once(
    database: Database, catalog: Catalog
) -> None:
    await publish(database, "old")
    await catalog.require(CALLER, "old")
    await publish(database, "new")
    assert (await catalog.require(CALLER, "new")).handler.name == "new"


async def test_a_changed_handler_is_seen_when_the_memory_is_stale(
    database: Database, catalog: Catalog, hands: FakeClock
) -> None:
    await publish(database, "build", max_retries=1)
    await catalog.require(CALLER, "build")
    await publish(database, "build", max_retries=2, schema=SCHEMA)
    known = await catalog.require(CALLER, "build")
    assert known.handler.max_retries == 1, "remembered"
    await catalog.check(known, {})
    hands.move(3)
    known = await catalog.require(CALLER, "build")
    assert known.handler.max_retries == 2
    with pytest.raises(InvalidPayload):
        await catalog.check(known, {})


@pytest.mark.parametrize(
    ("payload", "pointers"),
    [
        ({}, {"/payload"}),
        ({"month": 5}, {"/payload/month"}),
        ({"month": "May"}, {"/payload/month"}),
        ({"month": "2026-10", "rows": [1, "2", 3, None]}, {"/payload/rows/1", "/payload/rows/3"}),
        ({"month": "2026-10", "a/b~c": "x"}, {"/payload/a~1b~0c"}),
        ({"month": "2026-10", "extra": 1}, {"/payload"}),
        ({"month": 1, "rows": 2}, {"/payload/month", "/payload/rows"}),
    ],
)
async def test_a_payload_that_does_not_fit_names_each_place(
    database: Database, catalog: Catalog, payload: dict[str, Any], pointers: set[str]
) -> None:
    await publish(database, "build", schema=SCHEMA)
    known = await catalog.require(CALLER, "build")
    with pytest.raises(InvalidPayload, match="build") as caught:
        await catalog.check(known, payload)
    assert {error.pointer for error in caught.value.errors} == pointers
    assert {error.code for error in caught.value.errors} == {"invalid-payload"}
    assert all(error.detail for error in caught.value.errors)


async def test_a_payload_that_fits_is_taken(database: Database, catalog: Catalog) -> None:
    await publish(database, "build", schema=SCHEMA)
    known = await catalog.require(CALLER, "build")
    await catalog.check(known, {"month": "2026-10", "rows": [1, 2]})


async def test_errors_are_bounded(database: Database, catalog: Catalog) -> None:
    await publish(database, "build", schema=SCHEMA)
    known = await catalog.require(CALLER, "build")
    with pytest.raises(InvalidPayload) as caught:
        await catalog.check(known, {"month": "x" * 100_000, "rows": ["y" * 1_000] * 1_000})
    assert 0 < len(caught.value.errors) <= 50
    assert all(len(error.detail) <= 300 for error in caught.value.errors)


async def test_a_schema_that_cannot_be_used_is_tried_and_logged_once(
    database: Database, catalog: Catalog, hands: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(database, "broken", schema='{"required": true}')
    for _ in range(3):
        known = await catalog.require(CALLER, "broken")
        with pytest.raises(UnusableHandler, match="handler broken: "):
            await catalog.check(known, {})
        await catalog.handlers(CALLER)
        hands.move(3)
    (logged,) = caplog.records
    assert "handler broken: " in logged.getMessage()


async def test_names_are_sorted(database: Database, catalog: Catalog) -> None:
    assert await catalog.names(CALLER) == ()
    await publish(database, "b", "a")
    with pytest.raises(UnknownHandler):
        await catalog.require(CALLER, "missing")
    assert await catalog.names(CALLER) == ("a", "b")


async def register(database: Database, worker_id: Any, *names: str, live: bool = True) -> None:
    row = WorkerRow(
        id=worker_id,
        name="n",
        queues="[]",
        handlers=json.dumps(names),
        namespaces='["default"]',
        concurrency=1,
        started_at=NOW,
        heartbeat_at=NOW,
        lease_until=NOW + seconds(10 if live else -10),
    )
    await database.write(lambda c: workers.register(c, row))


async def test_handlers_are_listed_with_their_live_workers(
    database: Database, catalog: Catalog
) -> None:
    await publish(database, "b", "a", schema=SCHEMA)
    await register(database, WORKER, "a", "b")
    await register(database, OTHER_WORKER, "a")
    await register(database, make_task().id, "a", live=False)
    found = await catalog.handlers(CALLER)
    assert [(one.name, one.workers) for one in found] == [("a", 2), ("b", 1)]
    assert found[0].schema == json.loads(SCHEMA)
    assert found[0].description == "about a"


async def test_tags_are_listed_with_their_tasks(database: Database, catalog: Catalog) -> None:
    ids = await make_tags(database, "monthly", "unused")
    task = make_task()
    await store(database, task, tagged={task.id: [ids["monthly"]]})
    assert [(tag.name, tag.tasks) for tag in await catalog.tags(CALLER)] == [("monthly", 1)]


async def test_those_who_ask_for_tags_at_once_share_a_count(
    database: Database, catalog: Catalog
) -> None:
    counts: list[str] = []

    def heard(_: Any, __: Any, statement: str, *rest: Any) -> None:
        counts.append(statement)

    await make_tags(database, "monthly")
    event.listen(database.engine.sync_engine, "before_cursor_execute", heard)
    answers = await asyncio.gather(*(catalog.tags(CALLER) for _ in range(50)))
    await catalog.close()
    assert answers == [[]] * 50
    assert len([one for one in counts if "count" in one]) == 1
