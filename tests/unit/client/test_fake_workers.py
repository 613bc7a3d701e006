"""The worker of the fake, and what it runs."""

import pytest

from taskq_client import PermissionDenied
from taskq_client.testing import FakeTaskq, Step


def test_a_test_sees_what_runs_since_when_and_for_whom(taskq: FakeTaskq) -> None:
    taskq.on("long", Step(1, seconds=100))
    web = taskq.client(api_key=taskq.make_key("tasks:run:*", "tasks:read"))
    metrics = taskq.client(api_key=taskq.make_key("metrics:read", "tasks:run:long"))

    first = web.submit("long")
    taskq.advance(5)
    second = metrics.submit("long")
    taskq.advance(5)

    (worker,) = web.workers()
    assert [task.id for task in worker.running] == [first.id, second.id]
    assert {task.handler for task in worker.running} == {"long"}
    assert (worker.running_count, worker.quarantine_in_use) == (2, 0)
    assert (taskq.now - worker.running[0].started_at).total_seconds() == pytest.approx(10, abs=1)
    assert worker.heartbeat_at > worker.started_at
    assert {"long", "taskq.echo"} <= set(worker.handlers)

    (seen,) = metrics.workers()
    assert [task.id for task in seen.running] == [second.id]
    assert seen.handlers == ["long"]
    with pytest.raises(PermissionDenied):
        taskq.client(api_key=taskq.make_key("tasks:run:*")).workers()

    taskq.advance(100)
    (idle,) = web.workers()
    assert idle.running == []
    (ended,) = web.attempts(first)
    assert (ended.worker_id, ended.worker_name) == (idle.id, idle.name)


async def test_the_async_client_too(taskq: FakeTaskq) -> None:
    async with taskq.async_client() as client:
        (worker,) = await client.workers()
    assert worker.concurrency > 0
