"""Callers of two namespaces in one process: they share its group commits, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import event

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.core.database import Connection
from taskq_server.crud import tasks
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import TaskNotFound
from taskq_server.domain.requests import NewTask, TaskChanges, TaskFilter
from taskq_server.domain.task import Status
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services.submission import IdempotencyKey
from taskq_server.services.submit import Submitted, SubmittedBatch
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

THEIRS = Caller("theirs")
BOTH = (CALLER, THEIRS)
PAIRS = 200


def new(caller: Caller, n: int) -> NewTask:
    """A task whose names are the same in both namespaces, and whose payload is not."""
    return NewTask(
        handler="taskq.echo",
        payload={"value": f"{n} of {caller.namespace}"},
        tags=(f"t{n % 7}", f"pair {n}"),
        queue=f"q{n % 3}",
    )


def key(caller: Caller, n: int) -> IdempotencyKey:
    return IdempotencyKey.of(f"key {n}", {"value": f"{n} of {caller.namespace}"})


async def publish(runtime: Runtime) -> None:
    for caller in BOTH:
        settings = runtime.settings.model_copy(update={"namespace": caller.namespace})
        await ScriptedWorker(replace(runtime, settings=settings)).publish()


@pytest.fixture
async def shared(runtime: Runtime) -> Runtime:
    """A runtime whose database has the handlers of both namespaces."""
    await publish(runtime)
    return runtime


async def submit_all(runtime: Runtime) -> dict[tuple[str, int], Submitted]:
    wanted = [(caller, n) for n in range(PAIRS) for caller in BOTH]
    done = await asyncio.gather(
        *(runtime.submit.one(of, new(of, n), key=key(of, n)) for of, n in wanted)
    )
    return {(of.namespace, n): one for (of, n), one in zip(wanted, done, strict=True)}


async def test_equal_keys_tags_and_queues_at_the_same_moment(shared: Runtime) -> None:
    begun: list[object] = []
    event.listen(shared.database.engine.sync_engine, "begin", begun.append)
    made = await submit_all(shared)
    assert len(begun) < 12, "the submits of both namespaces share their transactions"
    for (namespace, n), one in made.items():
        task = one.details.task
        assert not one.replayed
        assert (task.namespace, f"{n} of {namespace}" in task.payload) == (namespace, True)
    assert len({one.details.task.id for one in made.values()}) == 2 * PAIRS
    begun.clear()
    again = await submit_all(shared)
    assert len(begun) < 40, "and so do those of keys that are taken"
    for where, one in again.items():
        assert (one.replayed, one.details.task.id) == (True, made[where].details.task.id)
        assert one.details.tags == made[where].details.tags
    late = await asyncio.gather(*(shared.submit.one(of, new(of, 0)) for of in BOTH))
    for caller, one in zip(BOTH, late, strict=True):
        made[caller.namespace, PAIRS] = one  # its tags are remembered
        mine = {one.details.task.id for (of, _), one in made.items() if of == caller.namespace}
        assert await ids_with(shared, caller, tags=("t1",)) < mine
        assert await ids_with(shared, caller) == mine
        stats = await shared.stats.read(caller)
        assert (stats.tasks[Status.QUEUED], len(stats.queues)) == (PAIRS + 1, 3)
        counts = {tag.name: tag.tasks for tag in await shared.catalog.tags(caller)}
        assert (len(counts), counts["pair 0"]) == (7 + PAIRS, 2)


async def ids_with(runtime: Runtime, caller: Caller, **filters: Any) -> set[UUID]:
    found: set[UUID] = set()
    cursor = None
    while True:
        wanted = TaskFilter(**filters)
        page = await runtime.read.list(caller, wanted, limit=100, cursor=cursor)
        found.update(one.task.id for one in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_some_keys_are_taken_and_others_are_new(shared: Runtime) -> None:
    """One transaction stores rows and finds the holders of both namespaces."""
    first = {
        n: await shared.submit.one(BOTH[n % 2], new(BOTH[n % 2], n), key=key(BOTH[n % 2], n))
        for n in range(20)
    }
    begun: list[object] = []
    event.listen(shared.database.engine.sync_engine, "begin", begun.append)
    done = await submit_all(shared)
    assert len(begun) < 40
    for (namespace, n), one in done.items():
        assert one.details.task.namespace == namespace
        assert one.replayed == (n in first and namespace == BOTH[n % 2].namespace)
    for n, one in first.items():
        assert done[BOTH[n % 2].namespace, n].details.task.id == one.details.task.id


async def test_batches_with_equal_keys(shared: Runtime) -> None:
    async def submit(caller: Caller) -> SubmittedBatch:
        items = [new(caller, n) for n in range(50)]
        return await shared.submit.batch(caller, items, key=key(caller, 0))

    made = await asyncio.gather(*map(submit, BOTH))
    again = await asyncio.gather(*map(submit, BOTH))
    for caller, first, second in zip(BOTH, made, again, strict=True):
        assert (first.replayed, second.replayed) == (False, True)
        assert {one.task.namespace for one in second.details} == {caller.namespace}
        assert [one.task.id for one in first.details] == [one.task.id for one in second.details]


async def test_nobody_reaches_a_task_of_another_namespace(shared: Runtime) -> None:
    task_id = (await shared.submit.one(CALLER, new(CALLER, 1))).details.task.id
    reads = (shared.read.get(caller, task_id) for caller in BOTH * 50)
    answers = await asyncio.gather(*reads, return_exceptions=True)
    assert [isinstance(one, TaskNotFound) for one in answers] == [False, True] * 50
    with pytest.raises(TaskNotFound):
        await shared.wait.one(THEIRS, task_id, 30)
    with pytest.raises(TaskNotFound):
        await shared.wait.any(THEIRS, [task_id], 30)
    for change in changes(shared, THEIRS, task_id):
        with pytest.raises(TaskNotFound):
            await change()
    assert (await shared.read.get(CALLER, task_id)).task.version == 1


def changes(
    runtime: Runtime, caller: Caller, task_id: UUID
) -> list[Callable[[], Awaitable[object]]]:
    retitled = TaskChanges(given=frozenset({"description"}), description="seen")
    tagged = TaskChanges(given=frozenset({"tags"}), tags=("t1",))
    return [
        lambda: runtime.change.update(caller, task_id, retitled),
        lambda: runtime.change.update(caller, task_id, tagged),
        lambda: runtime.change.cancel(caller, task_id),
        lambda: runtime.change.retry(caller, task_id),
        lambda: runtime.change.delete(caller, task_id),
    ]


async def test_each_route_asks_for_its_caller(runtime: Runtime, worker: ScriptedWorker) -> None:
    async with connected(runtime) as mine, connected(replace(runtime, caller=THEIRS)) as other:
        body = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": ["a"]}
        task = (await mine.post("/tasks", json=body)).json()
        batch = (await mine.post("/tasks/batch", json={"items": [body]})).json()["items"]
        path = f"/tasks/{task['id']}"
        ids = {"ids": [task["id"]], "timeout_seconds": 0}
        for response in [
            await other.get(path),
            await other.get(path, params={"wait": 0.1}),
            await other.get(f"{path}/attempts"),
            await other.get(f"{path}/events"),
            await other.patch(path, json={"title": "x"}),
            await other.post(f"{path}/cancel"),
            await other.post(f"{path}/retry"),
            await other.post("/tasks/wait", json=ids),
            await other.delete(path),
        ]:
            assert response.status_code == 404, response.request.url
        for path in ("/tasks", "/tags"):
            assert (await other.get(path)).json()["items"] == []
        assert (await other.get("/stats")).json()["queues"] == []
        assert (await mine.get("/stats")).json()["tasks"]["queued"] == 1 + len(batch)
        assert (await mine.get("/handlers")).json()["items"] != []
        assert (await other.get("/handlers")).json()["items"] == []
        assert (await other.post("/tasks", json=body)).json()["code"] == "unknown-handler"


@asynccontextmanager
async def connected(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(runtime=runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


@pytest.fixture
async def on_mariadb(mariadb_url: str) -> AsyncIterator[Runtime]:
    async with open_runtime(Settings(database_url=mariadb_url, auth="off")) as opened:
        await migrations.upgrade(opened.database)
        await publish(opened)
        yield opened


async def test_nobody_waits_for_a_lock_of_another_namespace(on_mariadb: Runtime) -> None:
    task_id = (await on_mariadb.submit.one(CALLER, new(CALLER, 1))).details.task.id
    locked, release = asyncio.Event(), asyncio.Event()

    async def hold(connection: Connection) -> None:
        await tasks.lock(connection, [task_id])
        locked.set()
        await release.wait()

    holder = asyncio.create_task(on_mariadb.database.write(hold))
    try:
        async with asyncio.timeout(20):
            await locked.wait()
            own = asyncio.create_task(on_mariadb.change.cancel(CALLER, task_id))
            for change in changes(on_mariadb, THEIRS, task_id):
                with pytest.raises(TaskNotFound):
                    await change()
            assert not own.done(), "the row was locked all the time"
    finally:
        release.set()
        await holder
    async with asyncio.timeout(20):
        assert (await own).task.status is Status.CANCELLED
