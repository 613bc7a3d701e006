"""Storing how an attempt ended, on a real database that refuses some of it."""

import asyncio
import json
from typing import Any

from sqlalchemy import text

from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Status
from taskq_server.handlers.context import State
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import AttemptService
from taskq_server.worker.attempts.completion import commit
from taskq_server.worker.attempts.result import RunResult, Succeeded
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from tests.support.callers import CALLER
from tests.unit.server.factories import OTHER_WORKER, running, store, stored
from tests.unit.server.worker.attempts import Children

REFUSE = """
CREATE TRIGGER refuse BEFORE INSERT ON task_attempts WHEN new.result LIKE '%heavy%'
BEGIN SELECT RAISE(ABORT, 'no such results here'); END
"""


async def hold(runtime: Runtime, **changes: Any) -> RunningAttempt:
    """A running attempt that is in the database, too."""
    task = running(**changes)
    await store(runtime.database, task)
    return RunningAttempt(task, State(), Children())


def saying(word: str) -> Succeeded:
    return Succeeded(json.dumps(word), len(word))


async def ends(
    attempts: AttemptService, attempt: RunningAttempt, run_result: RunResult
) -> AttemptEnded | None:
    async with asyncio.timeout(60):
        return await commit(attempts, attempt, run_result, Backoff())


async def test_an_outcome_that_the_database_refuses_fails_its_task_alone(runtime: Runtime) -> None:
    await runtime.database.write(lambda c: c.execute(text(REFUSE)))
    attempts = runtime.attempts(has_failure_hooks=False)
    words = ["light", "heavy", "light", "heavy"]
    running_now = [await hold(runtime, attempt=1, max_retries=3) for _ in words]
    await asyncio.gather(
        *(ends(attempts, *pair) for pair in zip(running_now, map(saying, words), strict=True))
    )
    after = [await runtime.read.get(CALLER, one.task.id) for one in running_now]
    assert [one.task.status for one in after] == [
        Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED, Status.FAILED
    ]  # fmt: skip
    (error,) = after[1].errors
    assert error.error_type == "OutcomeRefused"
    assert "no such results here" in (error.error_message or "")
    assert "heavy" not in (error.error_message or "")


async def test_a_database_that_takes_nothing_is_waited_for(runtime: Runtime) -> None:
    """Read-only or full: that is no fault of this outcome."""
    nothing = REFUSE.replace("'%heavy%'", "'%'").replace("new.result", "new.outcome")
    await runtime.database.write(lambda c: c.execute(text(nothing)))
    attempt = await hold(runtime)
    job = asyncio.create_task(
        ends(runtime.attempts(has_failure_hooks=False), attempt, saying("light"))
    )
    done, _ = await asyncio.wait({job}, timeout=4)
    assert not done
    await runtime.database.write(lambda c: c.execute(text("DROP TRIGGER refuse")))
    ended = await job
    assert ended is not None
    assert ended.task.status is Status.SUCCEEDED


async def test_a_lost_lease_ends_the_tries(runtime: Runtime) -> None:
    attempt = await hold(runtime)
    attempt.interrupt(StopReason.LOST)
    assert await ends(runtime.attempts(has_failure_hooks=False), attempt, saying("late")) is None
    assert await stored(runtime.database, attempt.task.id) == attempt.task


async def test_what_somebody_else_holds_is_left_alone(runtime: Runtime) -> None:
    attempt = await hold(runtime)
    stale = RunningAttempt(attempt.task._replace(worker_id=OTHER_WORKER), State(), Children())
    assert await ends(runtime.attempts(has_failure_hooks=False), stale, saying("late")) is None
    assert await stored(runtime.database, attempt.task.id) == attempt.task
