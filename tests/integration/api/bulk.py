"""Bulk operations for tests: begun as a caller does, and worked through as a janitor does."""

from typing import Any
from uuid import UUID

import httpx

from taskq_server.domain.ids import IdSource
from taskq_server.domain.task import Status, Task
from taskq_server.runtime import Runtime
from tests.integration.api.mixture import counted, told
from tests.support.callers import CALLER
from tests.unit.server.factories import NOW, make_task, store

Answer = dict[str, Any]

_new_id = IdSource()
"""Of tasks that were there before: other tests may have made some in the future."""


async def begin(api: httpx.AsyncClient, action: str = "retry", **wanted: Any) -> Answer:
    """Begin an operation: `limit`, `changes` and `headers` are its own, the rest is the filter."""
    response = await post(api, action, **wanted)
    assert response.status_code == 202, response.text
    operation: Answer = response.json()
    assert response.headers["Location"] == f"/bulk/{operation['id']}"
    return operation


async def post(api: httpx.AsyncClient, action: str = "retry", **wanted: Any) -> httpx.Response:
    """Ask for an operation; see `begin`."""
    headers = wanted.pop("headers", {})
    own = {name: wanted.pop(name) for name in ("limit", "changes", "dry_run") if name in wanted}
    body = {"action": action, "filter": wanted, **own}
    return await api.post("/tasks/bulk", json=body, headers=headers)


async def see(api: httpx.AsyncClient, operation: Answer) -> Answer:
    """Return an operation as it is now."""
    response = await api.get(f"/bulk/{operation['id']}")
    assert response.status_code == 200, response.text
    seen: Answer = response.json()
    return seen


async def done(api: httpx.AsyncClient, runtime: Runtime, operation: Answer) -> Answer:
    """Let a janitor work through all operations, and return this one as it is then."""
    await runtime.bulk_work.sweep()
    return await see(api, operation)


def numbers(operation: Answer) -> tuple[int, int, int, int]:
    """Return how many tasks matched, are done, were skipped and failed."""
    return tuple(operation[name] for name in ("matched", "done", "skipped", "failed"))  # type: ignore[return-value]


async def stored_many(runtime: Runtime, number: int, status: Status, **given: Any) -> list[UUID]:
    """Store some tasks that have a status since long ago."""
    made: list[Task] = [make_task(status, id=_new_id(NOW), **given) for _ in range(number)]
    await store(runtime.database, *made)
    return [task.id for task in made]


async def check_counts(runtime: Runtime) -> None:
    """Check that the ledger says what the rows say."""
    assert told(await runtime.stats.read(CALLER)) == await counted(runtime)
