"""The facts of the deployment in `GET /metrics`, against the database."""

import asyncio
from datetime import timedelta

import httpx

from taskq_server.domain import limits
from taskq_server.domain.caller import Caller
from taskq_server.domain.requests import NewTask
from taskq_server.domain.retention import Retention
from taskq_server.runtime import Runtime
from taskq_server.services.fleet import Fleet
from tests.integration.api.conftest import Submit
from tests.integration.api.fleet import labels, listen, scrape, values
from tests.integration.api.scoped import publish_in
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.namespaces import make_namespaces

DEPTH, AGE = "taskq_queue_depth", "taskq_queue_oldest_age_seconds"
NEW = NewTask(handler="taskq.echo", payload={"value": 1})


def ago(runtime: Runtime, seconds: float) -> str:
    return (runtime.clock() - timedelta(seconds=seconds)).isoformat()


async def test_depth_and_age_are_those_of_the_ledger(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker, runtime: Runtime
) -> None:
    await listen(runtime, "default", "mail")
    ids = [(await submit(queue="mail"))["id"] for _ in range(4)]
    await submit(run_at=ago(runtime, 100), priority="low")
    await submit(delay_seconds=3600)
    await worker.claim(ids[0])
    await worker.succeed(await worker.claim(ids[1]), 1)
    await worker.fail(await worker.claim(ids[2]))
    page = await scrape(api)
    assert values(page, DEPTH, "namespace", "queue", "status") == {
        ("default", "default", "queued"): 2,
        ("default", "default", "running"): 0,
        ("default", "default", "retrying"): 0,
        ("default", "mail", "queued"): 1,
        ("default", "mail", "running"): 1,
        ("default", "mail", "retrying"): 1,
    }
    ages = values(page, AGE, "queue")
    assert 100 <= ages["default",] < 130
    assert 0 <= ages["mail",] < 30
    assert values(page, "taskq_workers") == {(): 1}


async def test_paused_queues_are_told_with_and_without_tasks(
    api: httpx.AsyncClient, submit: Submit, runtime: Runtime
) -> None:
    await listen(runtime, "default", "mail", "idle")
    for name in ("default", "mail"):
        await submit(queue=name)
    for name in ("mail", "idle", "nobody's"):
        await runtime.queues.pause(runtime.caller, name)
    page = await scrape(api)
    assert values(page, "taskq_queue_paused", "namespace", "queue") == {
        ("default", "default"): 0,
        ("default", "mail"): 1,
        ("default", "idle"): 1,
        ("default", "other"): 1,
    }


async def test_three_thousand_queues_are_one_label_and_all_their_tasks_are_counted(
    api: httpx.AsyncClient, worker: ScriptedWorker, runtime: Runtime
) -> None:
    await listen(runtime, "reports")
    for start in range(0, 3_000, 500):
        items = [NEW._replace(queue=f"q-{start + n}") for n in range(500)]
        await runtime.submit.batch(runtime.caller, items)
    await runtime.submit.one(runtime.caller, NEW._replace(queue="reports"))
    page = await scrape(api)
    assert values(page, DEPTH, "queue", status="queued") == {("other",): 3_000, ("reports",): 1}
    assert values(page, "taskq_submits_total", "queue") == {("other",): 3_000, ("reports",): 1}
    assert values(page, AGE, "queue").keys() == {("other",), ("reports",)}


async def test_more_than_fifty_namespaces_are_one_label(
    api: httpx.AsyncClient, worker: ScriptedWorker, runtime: Runtime
) -> None:
    names = [f"tenant-{number:03}" for number in range(limits.METRIC_NAMESPACES + 9)]
    await make_namespaces(runtime.database, *names)
    await listen(runtime, "default")
    await publish_in(runtime, "*")
    old = NEW._replace(run_at=runtime.clock() - timedelta(seconds=500))
    for name in names:
        await runtime.submit.one(Caller(name), old if name == names[-1] else NEW)
    page = await scrape(api)
    found = labels(page, DEPTH, "namespace")
    assert len(found) == limits.METRIC_NAMESPACES  # `default` has a label and no task
    first = names[: limits.METRIC_NAMESPACES - 1]
    assert found == {*first, "other"}
    queued = values(page, DEPTH, "namespace", status="queued")
    assert queued == {**{(name,): 1 for name in first}, ("other",): 10}
    assert values(page, AGE, namespace="other")[()] >= 500
    assert not labels(page, "taskq_submits_total", "queue") - {"default"}


async def test_what_is_past_its_retention_is_told(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker, runtime: Runtime
) -> None:
    task = (await submit())["id"]
    assert values(await scrape(api), "taskq_retention_overdue_seconds") == {(): 0}
    await worker.succeed(await worker.claim(task), 1)
    later = Fleet(
        runtime.database,
        lambda: runtime.clock() + timedelta(seconds=150),
        retention=Retention.of_all(timedelta(seconds=60)),
    )
    assert 90 <= (await later.facts()).retention_overdue_seconds < 120
    await later.close()


async def test_facts_are_read_once_a_second_at_most(runtime: Runtime) -> None:
    times = [100.0]
    fleet = Fleet(
        runtime.database, runtime.clock, Retention.of_all(timedelta(days=1)), lambda: times[-1]
    )
    first = await fleet.facts()
    times.append(100.9)
    assert await fleet.facts() is first
    times.append(101.0)
    together = await asyncio.gather(*(fleet.facts() for _ in range(5)))
    assert len({id(facts) for facts in together}) == 1
    assert together[0] is not first
    await fleet.close()
