"""Bulk operations whose workers are killed: nothing is done twice, and nothing is left out."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from taskq_server.core.database import Database
from taskq_server.crud.tables import tasks as table
from taskq_server.domain.task import Status, Task
from tests.support.calls import repeats
from tests.support.stack import Kind, NewStack, Stack
from tests.support.waiting import wait_until
from tests.unit.server.factories import make_task, store

MANY = repeats(6_000, 100_000)
KILLS = 5
AT_ONCE = 1_000
NOBODYS = "nobody.has.this"
SETTINGS = {"TASKQ_LEASE_SECONDS": "2"}


async def fill(url: str, made: Sequence[Task]) -> None:
    """Store tasks as they are."""
    database = Database(url)
    try:
        for start in range(0, len(made), AT_ONCE):
            await store(database, *made[start : start + AT_ONCE])
    finally:
        await database.close()


async def rows(url: str) -> tuple[Counter[tuple[str, str, int]], dict[str, int]]:
    """Return the tasks by handler, status and version, and the tasks by status."""
    database = Database(url)
    of = table.c.handler, table.c.status, table.c.version
    try:
        found = await database.read(lambda c: c.execute(select(*of, func.count()).group_by(*of)))
        kinds = Counter({(handler, status.value, v): n for handler, status, v, n in found})
    finally:
        await database.close()
    statuses: Counter[str] = Counter()
    for (_, status, _), number in kinds.items():
        statuses[status] += number
    return kinds, dict(statuses)


def counted(client: httpx.Client) -> dict[str, int]:
    return {status: n for status, n in client.get("/stats").json()["tasks"].items() if n}


def begin(client: httpx.Client, action: str, **filters: Any) -> str:
    body = {"action": action, "filter": filters}
    response = client.post("/tasks/bulk", json=body)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def seen(client: httpx.Client, operation: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/bulk/{operation}").json()
    return found


@pytest.mark.timeout(repeats(400, 1_800))
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_workers_are_killed_while_they_work_through_it(kind: Kind, new_stack: NewStack) -> None:
    """Beside it tasks are submitted and run."""
    stack = new_stack(kind, settings=SETTINGS, workers=2)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    given = {"handler": NOBODYS, "created_at": long_ago}
    failed = [make_task(Status.FAILED, **given) for _ in range(MANY)]
    succeeded = [make_task(Status.SUCCEEDED, **given) for _ in range(MANY // 4)]
    asyncio.run(fill(stack.database_url, [*failed, *succeeded]))
    with httpx.Client(base_url=stack.api_url, timeout=180, trust_env=False) as client:
        retry = begin(client, "retry", handler=NOBODYS, status="failed")
        delete = begin(client, "delete", handler=NOBODYS, status="succeeded")
        began = time.monotonic()
        submitted = 0
        for number in range(KILLS):
            least = MANY * (number + 1) // (KILLS + 2)
            wait_until(lambda least=least: seen(client, retry)["matched"] >= least, 180, "more")
            submitted += submit_some(client)
            kill_one(stack)
        for operation in (retry, delete):
            wait_until(lambda of=operation: seen(client, of)["state"] == "succeeded", 300, "end")
        took = time.monotonic() - began
        check(client, retry, MANY)
        check(client, delete, MANY // 4)
        wait_until(lambda: counted(client).get("succeeded") == submitted, 180, "tasks have run")
        kinds, statuses = asyncio.run(rows(stack.database_url))
        assert {kind: n for kind, n in kinds.items() if kind[0] == NOBODYS} == {
            (NOBODYS, "queued", 2): MANY  # one change each
        }
        assert counted(client) == statuses == {"queued": MANY, "succeeded": submitted}
    print(f"{kind}: {MANY * 5 // 4} tasks changed in {took:.1f} s beside {KILLS} SIGKILL")


def check(client: httpx.Client, operation: str, number: int) -> None:
    ended = seen(client, operation)
    assert [ended[name] for name in ("matched", "done", "skipped", "failed")] == [
        *(number, number),
        *(0, 0),
    ]


def submit_some(client: httpx.Client) -> int:
    body = {"items": [{"handler": "taskq.echo", "payload": {"value": n}} for n in range(20)]}
    assert client.post("/tasks/batch", json=body).status_code == 201
    return len(body["items"])


def kill_one(stack: Stack) -> None:
    """Kill a worker; where it is the API, too, wait until that is back."""
    stack.kill_worker()
    stack.start_worker()
