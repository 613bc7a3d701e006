"""The row of a worker stays as long as attempts may name the worker."""

from datetime import timedelta
from uuid import UUID

import httpx

from taskq_server.crud.tables import workers as workers_table
from taskq_server.domain import lifecycle
from taskq_server.domain.ids import IdSource
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Status
from taskq_server.runtime import Runtime
from taskq_server.services.leases import Leases
from taskq_server.services.maintenance import Maintenance
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.workers import add_worker
from tests.unit.server.factories import make_task, rows_of, running, store
from tests.unit.server.rows import end_all

RETENTION = timedelta(days=30)
LONG_AGO = timedelta(days=40)


def maintenance(runtime: Runtime) -> Maintenance:
    attempts = runtime.attempts(has_failure_hooks=False)
    return Maintenance(runtime.database, runtime.clock, attempts, runtime.dispatcher)


async def rescue(runtime: Runtime) -> list[AttemptEnded]:
    upkeep = maintenance(runtime)
    return await upkeep.rescue(await upkeep.beats(), ["default"])


async def ids_left(runtime: Runtime) -> set[UUID]:
    return {row["id"] for row in await rows_of(runtime.database, workers_table)}


async def test_attempts_and_errors_name_a_worker_that_has_stopped(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker, runtime: Runtime
) -> None:
    row = await add_worker(runtime, "host:17", worker_id=worker.id)
    task_id = (await submit())["id"]
    await worker.fail(await worker.claim(task_id), fatal=True)
    await Leases(runtime.database).unregister(row)
    assert (await api.get("/stats")).json()["workers"] == 0
    (ended,) = (await api.get(f"/tasks/{task_id}/attempts")).json()["items"]
    assert (ended["worker_id"], ended["worker_name"]) == (str(worker.id), "host:17")
    assert (await api.get(f"/tasks/{task_id}")).json()["errors"] == [ended]


async def test_tasks_are_taken_at_once_from_a_worker_that_has_stopped(
    submit: Submit, worker: ScriptedWorker, runtime: Runtime
) -> None:
    row = await add_worker(runtime, worker_id=worker.id)
    await worker.claim((await submit())["id"])
    assert await rescue(runtime) == []
    await Leases(runtime.database).unregister(row)
    (ended,) = await rescue(runtime)
    assert ended.task.status is Status.QUEUED


async def test_it_goes_when_no_attempt_names_the_worker_any_more(runtime: Runtime) -> None:
    """One task waited longer than ended ones are kept; another is still held."""
    past, made = runtime.clock() - LONG_AGO, IdSource()
    names = ("unused", "waiting", "holding", "failed late", "recent")
    ended = {name: -LONG_AGO.total_seconds() for name in names} | {"recent": -3600.0}
    rows = {name: await add_worker(runtime, name, lease=lease) for name, lease in ended.items()}
    waiting, late, held = (
        running(id=made(past), worker_id=rows[name].id, created_at=past)
        for name in ("waiting", "failed late", "holding")
    )
    pruned = make_task(Status.FAILED, id=made(past), created_at=past)
    await store(runtime.database, waiting, late, held, pruned)
    now = runtime.clock()
    await end_all(runtime.database, [lifecycle.release(waiting, now=past)])
    await end_all(runtime.database, [lifecycle.succeed(late, result="1", now=now)])

    await maintenance(runtime).forget_workers(RETENTION)
    kept = {row.id for name, row in rows.items() if name != "unused"}
    assert await ids_left(runtime) == kept

    await runtime.change.delete(runtime.caller, late.id)
    upkeep = maintenance(runtime)
    await upkeep.mark_lost({rows["holding"].id: 0})
    (rescued,) = await rescue(runtime)
    assert rescued.task.id == held.id
    await maintenance(runtime).forget_workers(RETENTION)
    assert await ids_left(runtime) == kept - {rows["failed late"].id}

    for task in (waiting, held):
        await runtime.change.delete(runtime.caller, task.id)
    await maintenance(runtime).forget_workers(RETENTION)
    assert await ids_left(runtime) == {rows["recent"].id}


async def test_while_too_many_old_attempts_are_left_all_stay(runtime: Runtime) -> None:
    """Which workers these name would take long to read."""
    past, made = runtime.clock() - LONG_AGO, IdSource()
    row = await add_worker(runtime, lease=-LONG_AGO.total_seconds())
    old = [running(id=made(past), created_at=past) for _ in range(2_000)]
    await store(runtime.database, *old)
    await end_all(runtime.database, [lifecycle.release(task, now=past) for task in old])
    await maintenance(runtime).forget_workers(RETENTION)
    assert await ids_left(runtime) == {row.id}
    await runtime.change.delete(runtime.caller, old[0].id)
    await maintenance(runtime).forget_workers(RETENTION)
    assert await ids_left(runtime) == set()
