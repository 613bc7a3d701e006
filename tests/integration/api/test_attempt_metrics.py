"""What is counted of attempts, on each kind of database."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from taskq_server.domain.errors import StaleAttempt
from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.metrics import samples

ECHO = ("handler", "taskq.echo")


async def test_the_life_of_a_task_is_counted(
    runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    task_id = (await submit())["id"]
    await worker.fail(await worker.claim(task_id))
    assert samples(runtime.metrics, "taskq_attempts_total") == {(ECHO, ("outcome", "failed")): 1}
    assert samples(runtime.metrics, "taskq_retries_total") == {(ECHO,): 1}
    await runtime.change.cancel(runtime.caller, UUID(task_id))
    await runtime.change.retry(runtime.caller, UUID(task_id))
    await worker.release(await worker.claim(task_id))
    await worker.succeed(await worker.claim(task_id), 1)
    assert samples(runtime.metrics, "taskq_attempts_total") == {
        (ECHO, ("outcome", outcome)): 1 for outcome in ("failed", "released", "succeeded")
    }
    assert samples(runtime.metrics, "taskq_retries_total") == {(ECHO,): 1}
    moved = {
        (dict(labels)["from"], dict(labels)["to"]): count
        for labels, count in samples(runtime.metrics, "taskq_transitions_total").items()
    }
    assert moved == {
        ("queued", "running"): 3,
        ("running", "retrying"): 1,
        ("retrying", "cancelled"): 1,
        ("cancelled", "queued"): 1,
        ("running", "queued"): 1,
        ("running", "succeeded"): 1,
    }
    assert list(samples(runtime.metrics, "taskq_pickup_seconds_count").values()) == [3]


async def test_a_failure_for_good_is_no_retry(
    runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    await worker.fail(await worker.claim((await submit())["id"]), fatal=True)
    assert samples(runtime.metrics, "taskq_attempts_total") == {(ECHO, ("outcome", "failed")): 1}
    assert samples(runtime.metrics, "taskq_retries_total") == {}


async def test_an_outcome_that_is_dropped_is_not_counted(
    runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    claimed = await worker.claim((await submit())["id"])
    other = ScriptedWorker(runtime)
    with pytest.raises(StaleAttempt):
        await other.succeed(claimed, 1)
    assert samples(runtime.metrics, "taskq_attempts_total") == {}
    await worker.succeed(claimed, 1)
    assert list(samples(runtime.metrics, "taskq_attempts_total").values()) == [1]


async def test_a_run_takes_from_its_start_to_its_end(
    runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    began = time.monotonic()
    claimed = await worker.claim((await submit())["id"])
    await asyncio.sleep(0.5)
    await worker.succeed(claimed, 1)
    (seconds,) = samples(runtime.metrics, "taskq_run_seconds_sum").values()
    assert 0.4 < seconds < time.monotonic() - began + 0.1


async def test_a_task_waits_from_when_it_is_due(
    runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    due = datetime.now(UTC) - timedelta(seconds=100)
    await worker.claim((await submit(run_at=due.isoformat()))["id"])
    (seconds,) = samples(runtime.metrics, "taskq_pickup_seconds_sum").values()
    assert 99 < seconds < 200


async def test_a_task_that_was_handed_back_waits_from_then(
    runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    task_id = (await submit())["id"]
    claimed = await worker.claim(task_id)
    (first,) = samples(runtime.metrics, "taskq_pickup_seconds_sum").values()
    await asyncio.sleep(2)
    handed_back = time.monotonic()
    await worker.release(claimed)
    await worker.claim(task_id)
    (both,) = samples(runtime.metrics, "taskq_pickup_seconds_sum").values()
    assert both - first <= time.monotonic() - handed_back + 0.1
