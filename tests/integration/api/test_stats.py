"""The numbers of `GET /stats`, and how they are told."""

from datetime import timedelta

import httpx

from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker

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
    one_each = {**dict.fromkeys(NONE, 1), "queued": 0}
    assert found == {
        "tasks": {**one_each, "queued": 1},
        "queues": [
            {
                "name": "batch",
                "tasks": {**NONE, "queued": 1},
                "depth": 1,
                "oldest_age_seconds": None,
            },
            {"name": "mail", "tasks": one_each, "depth": 1, "oldest_age_seconds": None},
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
