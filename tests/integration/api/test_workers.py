"""`GET /workers`: what a worker says about itself, what it runs, and page after page."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import httpx
import pytest
from sqlalchemy import event

from taskq_server.domain import limits
from taskq_server.runtime import Runtime
from taskq_server.schemas import wire
from taskq_server.services.leases import Leases
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.workers import add_worker, new_worker, register
from tests.unit.server.factories import running, store


async def names(api: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await api.get(f"/workers?{query}")
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["items"]]


async def test_nobody_is_there(api: httpx.AsyncClient) -> None:
    assert (await api.get("/workers")).json() == {"items": [], "next_cursor": None}


async def test_all_of_a_worker_and_of_what_it_runs(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker, runtime: Runtime
) -> None:
    row = await add_worker(runtime, "host:17", worker_id=worker.id, queues=["default", "a"])
    await submit()
    task = await worker.claim((await submit())["id"])
    assert (await api.get("/workers")).json()["items"] == [
        {
            "id": str(worker.id),
            "name": "host:17",
            "namespaces": ["default"],
            "queues": ["a", "default"],
            "handlers": ["taskq.echo", "taskq.sleep"],
            "concurrency": 100,
            "running": [
                {
                    "id": str(task.id),
                    "namespace": "default",
                    "handler": "taskq.echo",
                    "attempt": 1,
                    "started_at": wire.moment(task.started_at or row.started_at),
                    "quarantined": False,
                }
            ],
            "running_count": 1,
            "quarantine_in_use": 0,
            "started_at": wire.moment(row.started_at),
            "heartbeat_at": wire.moment(row.heartbeat_at),
            "version": "1.2.3",
        }
    ]
    await worker.succeed(task, 1)
    (idle,) = (await api.get("/workers")).json()["items"]
    assert (idle["running"], idle["running_count"]) == ([], 0)


async def test_a_heartbeat_is_seen(api: httpx.AsyncClient, runtime: Runtime) -> None:
    row = await add_worker(runtime, started=100)
    await Leases(runtime.database).beat(row, timedelta(seconds=60))
    (found,) = (await api.get("/workers")).json()["items"]
    assert found["heartbeat_at"] > wire.moment(row.heartbeat_at)


async def test_only_the_live_are_listed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await add_worker(runtime, "live")
    await add_worker(runtime, "vanished", lease=-0.1)
    await Leases(runtime.database).unregister(await add_worker(runtime, "stopped"))
    assert await names(api) == ["live"]


async def test_a_worker_of_the_version_before(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await add_worker(runtime, namespaces=None)
    (found,) = (await api.get("/workers")).json()["items"]
    assert (found["namespaces"], found["version"]) == (["*"], None)


async def test_much_is_cut_and_counted(api: httpx.AsyncClient, runtime: Runtime) -> None:
    many = [f"n{number:05}" for number in range(limits.WORKER_NAMES + 500)]
    row = await add_worker(runtime, handlers=many, queues=many)
    amount = limits.WORKER_TASKS + 50
    at = runtime.clock()
    tasks = [
        running(
            worker_id=row.id,
            started_at=at + timedelta(seconds=number),
            lost_count=number % 2,
        )
        for number in range(amount)
    ]
    await store(runtime.database, *tasks[::-1])
    (found,) = (await api.get("/workers")).json()["items"]
    assert found["handlers"] == found["queues"] == many[: limits.WORKER_NAMES]
    shown = [UUID(each["id"]) for each in found["running"]]
    assert shown == [task.id for task in tasks[: limits.WORKER_TASKS]]
    assert [each["quarantined"] for each in found["running"][:3]] == [False, True, False]
    assert (found["running_count"], found["quarantine_in_use"]) == (amount, amount // 2)


async def test_the_link_leads_to_every_worker_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Workers that start or stop meanwhile neither hide nor repeat another one."""
    rows = [await add_worker(runtime, f"w{number}", started=number) for number in range(7)]
    together = [await add_worker(runtime, f"t{number}", started=9) for number in range(3)]
    await add_worker(runtime, "theirs", namespaces=["theirs"])
    url, seen = "/workers?limit=3", []
    while True:
        answer = await api.get(url)
        seen += [each["name"] for each in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            assert "link" not in answer.headers
            break
        assert answer.links["next"]["rel"] == "next"
        url = answer.links["next"]["url"]
        assert "limit=3" in url
        if len(seen) == 3:
            await add_worker(runtime, "new")
            await Leases(runtime.database).unregister(rows[2])  # at which the cursor points
    assert seen[:7] == [row.name for row in rows]
    assert sorted(seen[7:]) == [row.name for row in together]


async def test_a_page_that_is_just_full_is_the_last(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    for number in range(3):
        await add_worker(runtime, f"w{number}", started=number)
    answer = (await api.get("/workers?limit=3")).json()
    assert (len(answer["items"]), answer["next_cursor"]) == (3, None)


def forged(microseconds: int, namespace: str = "default") -> str:
    bound = sha256(namespace.encode()).digest()[:6]
    raw = microseconds.to_bytes(8, signed=True) + bytes(16) + bound
    return urlsafe_b64encode(raw).decode()


@pytest.mark.parametrize(
    "cursor",
    ["nonsense", "%00", "ä", "A" * 40, "A" * 39, "x" * 200, forged(2**63 - 1), forged(-(2**63)),
     forged(0, "theirs")],
)  # fmt: skip
async def test_a_cursor_of_nobody_or_of_another_list(api: httpx.AsyncClient, cursor: str) -> None:
    answer = await api.get(f"/workers?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=", "status=running"])
async def test_what_a_query_may_not_say(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/workers?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


async def test_a_thousand_workers_cost_three_statements(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Only the rows of the page are read whole, and only what its workers run."""
    rows = [new_worker(runtime, f"w{number}", started=number) for number in range(1_000)]
    await register(runtime, rows)
    await store(runtime.database, *(running(worker_id=row.id) for row in rows for _ in range(2)))
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if "workers" in statement or "tasks" in statement:  # the clock is asked for, too
            statements.append(statement)

    event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", note)
    items: Sequence[dict[str, object]] = (await api.get("/workers?limit=200")).json()["items"]
    event.remove(runtime.database.engine.sync_engine, "before_cursor_execute", note)
    assert [item["name"] for item in items] == [f"w{number}" for number in range(200)]
    assert {item["running_count"] for item in items} == {2}
    assert len(statements) == 3, statements
    assert "handlers" not in statements[0], "names of handlers may be long"
