"""Bulk operations: what a request may say, who may ask, and how tasks are counted."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from taskq_server.domain.ids import IdSource
from taskq_server.domain.task import Status
from taskq_server.runtime import Runtime
from taskq_server.services import bulk as bulk_service
from tests.integration.api.bulk import begin, done, numbers, post, stored_many
from tests.integration.api.keys import calling_closed
from tests.integration.api.scoped import header
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.unit.server.factories import make_task, store

FILTER = {"status": "failed"}


CREATED = "created_after"
UPDATE = {"action": "update", "filter": FILTER}


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"action": "retry"}, "/filter", "missing"),
        ({"action": "retry", "filter": {}}, "/filter", "invalid-value"),
        ({"action": "retry", "filter": {"handler": None}}, "/filter", "invalid-value"),
        ({"action": "retry", "filter": {"status": []}}, "/filter/status", "invalid-value"),
        ({"action": "retry", "filter": {"status": "gone"}}, "/filter/status/0", "not-one-of"),
        ({"action": "retry", "filter": {"order": "created_at"}}, "/filter/order", "unknown-field"),
        ({"action": "retry", "filter": {"cursor": "x"}}, "/filter/cursor", "unknown-field"),
        ({"action": "retry", "filter": {CREATED: 7}}, f"/filter/{CREATED}", "invalid-value"),
        ({"action": "play", "filter": FILTER}, "/action", "not-one-of"),
        ({"filter": FILTER}, "/action", "missing"),
        ({**UPDATE}, "", "invalid-value"),
        ({**UPDATE, "changes": {}}, "/changes", "invalid-value"),
        ({**UPDATE, "changes": {"queue": "x"}}, "/changes/queue", "unknown-field"),
        ({**UPDATE, "changes": {"priority": None}}, "/changes/priority", "not-one-of"),
        ({**UPDATE, "action": "retry", "changes": {"priority": "low"}}, "", "invalid-value"),
        ({"action": "retry", "filter": FILTER, "limit": 0}, "/limit", "greater-than-equal"),
        ({"action": "retry", "filter": FILTER, "limit": 1_000_001}, "/limit", "less-than-equal"),
        ({"action": "retry", "filter": FILTER, "dry_run": "yes"}, "/dry_run", "bool-type"),
    ],
)  # fmt: skip
async def test_requests_that_say_too_little_or_too_much_are_refused(
    api: httpx.AsyncClient, body: dict[str, Any], pointer: str, code: str
) -> None:
    response = await api.post("/tasks/bulk", json=body)
    assert response.status_code == 422, response.text
    [error] = response.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code), response.text
    assert (await api.get("/bulk")).json()["items"] == []


async def test_a_filter_is_shown_as_it_was_given(api: httpx.AsyncClient) -> None:
    given = {
        "status": ["failed", "failed", "cancelled"],
        "created_after": "2026-10-01T10:00:00+02:00",
    }
    operation = await begin(api, **given, queue=None)
    assert operation["filter"] == {
        "status": ["failed", "cancelled"],
        "created_after": "2026-10-01T08:00:00Z",
    }
    assert (operation["limit"], operation["changes"], operation["key_id"]) == (100_000, None, None)


async def test_a_dry_run_counts_and_does_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await stored_many(runtime, 7, Status.FAILED)
    await stored_many(runtime, 3, Status.CANCELLED)
    await stored_many(runtime, 2, Status.CANCELLED, handler="other")
    response = await post(api, "delete", handler="taskq.echo", dry_run=True, limit=5)
    assert response.status_code == 200
    nothing = dict.fromkeys([status.value for status in Status], 0)
    assert response.json() == {
        "count": 10,
        "exact": True,
        "by_status": {**nothing, "failed": 7, "cancelled": 3},
    }
    assert (await api.get("/bulk")).json()["items"] == []
    unknown = await post(api, "delete", tag="never", dry_run=True)
    assert unknown.json() == {"count": 0, "exact": True, "by_status": nothing}


@pytest.mark.parametrize("number", [0, 9, 10, 11, 25])
async def test_a_count_goes_on_part_by_part(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(bulk_service, "_PART_ROWS", 5)
    monkeypatch.setattr(bulk_service, "_COUNT_SECONDS", 600)
    await stored_many(runtime, number, Status.FAILED)
    await stored_many(runtime, 4, Status.FAILED, handler="other")
    for action in ("retry", "delete"):
        response = await post(
            api, action, status=["failed", "cancelled"], handler="taskq.echo", dry_run=True
        )
        assert (response.json()["count"], response.json()["exact"]) == (number, True)


async def test_a_count_that_would_take_too_long_is_a_lower_bound(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_service, "_PART_ROWS", 10)
    monkeypatch.setattr(bulk_service, "_MOST_ROWS", 30)
    await stored_many(runtime, 60, Status.FAILED)
    counted = (await post(api, status="failed", dry_run=True)).json()
    assert (counted["exact"], counted["count"]) == (False, 30)
    monkeypatch.setattr(bulk_service, "_COUNT_SECONDS", -1)
    counted = (await post(api, status="failed", dry_run=True)).json()
    assert (counted["exact"], counted["count"]) == (False, 0)


async def test_an_operation_may_be_begun_with_less_than_a_dry_run_says(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """What is created after it began is left alone, whatever the filter says."""
    later = runtime.clock() + timedelta(hours=1)
    task = make_task(Status.FAILED)  # the source of its id may not see the future
    task = task._replace(id=IdSource()(later), created_at=later, finished_at=later)
    await store(runtime.database, task)
    filters = {"status": "failed", "created_before": (later + timedelta(days=1)).isoformat()}
    assert (await post(api, **filters, dry_run=True)).json()["count"] == 1
    assert numbers(await done(api, runtime, await begin(api, **filters))) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("action", "scopes", "missing"),
    [
        ("retry", ("tasks:read", "tasks:write", "tasks:run:*"), "tasks:operate"),
        ("retry", ("tasks:operate", "tasks:write"), "tasks:run:"),
        ("update", ("tasks:operate", "tasks:write"), "tasks:run:"),
        ("delete", ("tasks:operate", "tasks:run:*"), "tasks:write"),
        ("cancel", ("tasks:operate", "tasks:run:*"), "tasks:write"),
        ("delete", ("tasks:write", "tasks:read"), "tasks:operate"),
        ("retry", ("tasks:operate", "tasks:run:*"), None),
        ("update", ("tasks:operate", "tasks:run:reports.*"), None),
        ("delete", ("tasks:operate", "tasks:write"), None),
        ("cancel", ("tasks:operate", "tasks:write"), None),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_each_action_needs_its_scopes(
    runtime: Runtime, action: str, scopes: tuple[str, ...], missing: str | None, dry_run: bool
) -> None:
    changes = {"changes": {"priority": "low"}} if action == "update" else {}
    async with calling_closed(runtime) as api:
        key = await header(runtime, *scopes)
        response = await post(api, action, **FILTER, **changes, dry_run=dry_run, headers=key)
    if missing is None:
        assert response.status_code == (200 if dry_run else 202), response.text
    else:
        assert response.status_code == 403, response.text
        assert [each["detail"] for each in response.json()["errors"]] == [missing]


async def test_tasks_of_handlers_that_the_maker_may_not_run_are_skipped(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    await stored_many(runtime, 3, Status.FAILED)
    await stored_many(runtime, 2, Status.FAILED, handler="taskq.sleep")
    async with calling_closed(runtime) as api:
        key = await header(runtime, "tasks:operate", "tasks:read", "tasks:run:taskq.e*")
        operation = await begin(api, status="failed", headers=key)
        assert operation["key_id"] == key["Authorization"][10:22]
        await runtime.bulk_work.sweep()
        seen = (await api.get(f"/bulk/{operation['id']}", headers=key)).json()
        assert numbers(seen) == (5, 3, 2, 0)
        deleter = await header(runtime, "tasks:operate", "tasks:write")
        operation = await begin(api, "delete", handler="taskq.sleep", headers=deleter)
        await runtime.bulk_work.sweep()
        seen = (await api.get(f"/bulk/{operation['id']}", headers=key)).json()
        assert numbers(seen) == (2, 2, 0, 0)


async def test_to_read_and_to_stop_need_scopes_of_their_own(runtime: Runtime) -> None:
    async with calling_closed(runtime) as api:
        operator = await header(runtime, "tasks:operate", "tasks:run:*")
        reader = await header(runtime, "tasks:read")
        operation = await begin(api, **FILTER, headers=operator)
        address = f"/bulk/{operation['id']}"
        assert (await api.get(address, headers=operator)).status_code == 403
        assert (await api.get("/bulk", headers=operator)).status_code == 403
        assert (await api.get(address, headers=reader)).status_code == 200
        assert (await api.post(f"{address}/stop", headers=reader)).status_code == 403
        assert (await api.post(f"{address}/stop", headers=operator)).status_code == 200
