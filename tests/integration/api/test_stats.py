"""The numbers of `GET /stats`, and how they are told."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import event

from taskq_server.runtime import Runtime
from taskq_server.services.stats import StatsService
from tests.integration.api.conftest import Submit
from tests.integration.api.mixture import Mixture, new
from tests.integration.api.moved_clock import moved
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

STILL = {"throughput_per_minute": 0.0, "run_seconds_mean": None}
NONE = dict.fromkeys(("queued", "running", "retrying", "succeeded", "failed", "cancelled"), 0)


async def test_nothing_is_there(api: httpx.AsyncClient) -> None:
    answer = await api.get("/stats")
    assert answer.status_code == 200
    assert answer.json() == {"tasks": NONE, "queues": [], "workers": 0}


async def test_tasks_are_told_by_queue_and_status(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    ids = [(await submit(queue="mail"))["id"] for _ in range(5)]
    await submit(queue="batch", delay_seconds=3600)
    await worker.claim(ids[0])
    await worker.succeed(await worker.claim(ids[1]), 1)
    await worker.fail(await worker.claim(ids[2]))
    await worker.fail(await worker.claim(ids[3]), fatal=True)
    await api.post(f"/tasks/{ids[4]}/cancel")
    found = (await api.get("/stats")).json()
    rates = {name: found["queues"][1][name] for name in STILL}
    one_each = {**dict.fromkeys(NONE, 1), "queued": 0}
    assert found == {
        "tasks": {**one_each, "queued": 1},
        "queues": [
            {
                "name": "batch",
                "tasks": {**NONE, "queued": 1},
                "depth": 1,
                "oldest_age_seconds": None,
                **STILL,
            },
            {"name": "mail", "tasks": one_each, "depth": 1, "oldest_age_seconds": None, **rates},
        ],
        "workers": 0,
    }


async def test_the_age_is_that_of_the_task_that_is_due_the_longest(
    api: httpx.AsyncClient, submit: Submit, runtime: Runtime
) -> None:
    def ago(seconds: float) -> str:
        return (runtime.clock() - timedelta(seconds=seconds)).isoformat()

    await submit(run_at=ago(100), priority="low")
    await submit(run_at=ago(50), priority="urgent")
    await submit(queue="mail", run_at=ago(-100))
    default, mail = (await api.get("/stats")).json()["queues"]
    assert 100 <= default["oldest_age_seconds"] < 110
    assert (mail["depth"], mail["oldest_age_seconds"]) == (1, None)


async def test_a_queue_tells_how_it_has_moved_in_the_last_five_minutes(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    moving, clock = moved(runtime)
    worker, stats = ScriptedWorker(moving), StatsService(moving.database, clock)
    maintenance = Mixture(moving, worker, 0).maintenance
    clock.move(60 - clock().second)  # to the beginning of a minute, or nearly

    async def end(seconds: float, *, fails: bool = False, is_released: bool = False) -> None:
        done = await runtime.submit.one(CALLER, new("mail"))
        task = await worker.claim(str(done.details.task.id))
        clock.move(seconds)
        if is_released:
            await worker.release(task)
        else:
            await (worker.fail(task) if fails else worker.succeed(task, 1))

    async def told() -> tuple[float, float | None]:
        (queue,) = (await stats.read(CALLER)).queues
        return queue.throughput_per_minute, queue.run_seconds_mean

    await end(1, is_released=True)
    assert await told() == (0, None)
    await end(2)
    await end(4, fails=True)
    number, mean = await told()
    assert number == pytest.approx(2 / (4 + clock().second / 60), rel=0.05)
    assert mean == pytest.approx(3, abs=0.5)
    clock.move(60)
    await maintenance.compact()  # from the ledger to the history of minutes
    assert await told() == (pytest.approx(number, rel=0.05), mean)
    clock.move(5 * 60)
    assert await told() == (0, None)
    await stats.close()


async def test_the_ledger_is_read_once_for_numbers_and_rates(
    runtime: Runtime, submit: Submit, worker: ScriptedWorker
) -> None:
    await worker.succeed(await worker.claim((await submit())["id"]), 1)
    said: list[str] = []
    engine = runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    (queue,) = (await runtime.stats.read(CALLER)).queues
    assert queue.throughput_per_minute > 0
    assert len([one for one in said if "task_counts" in one or "task_minutes" in one]) == 1
