"""Store the outcome of an attempt: wait for a database that is away, and fail what it refuses.

A database may take everything but this one outcome, because a result beyond its packet size looks
like a lost connection. So after a lost connection an outcome is committed in a batch of its own. If
the database refuses a large outcome but would take a small one, the task fails. A database that is
away, read-only or full is waited for.
"""

import asyncio
import logging
from dataclasses import replace

from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import (
    ConnectionLost,
    DatabaseUnavailable,
    IllegalTransition,
    StaleAttempt,
)
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.task import Outcome
from taskq_server.services import task_log
from taskq_server.services.attempts import AttemptService
from taskq_server.services.reports import Completion
from taskq_server.worker.attempts.result import (
    Failed,
    PayloadMismatch,
    RunResult,
    Succeeded,
    decision,
    weight,
)
from taskq_server.worker.attempts.running import RunningAttempt, StopReason, printable

_TRIES = 4
_REFUSALS = 2
_LARGE_BYTES = 65_536
_PAUSE_SECONDS = 0.5
_TRAVELS_ALONE = 1 << 30
_LONGEST_MESSAGE = 1_000
_log = logging.getLogger("taskq.server.worker")


async def commit(
    attempts: AttemptService, running: RunningAttempt, run_result: RunResult, backoff: Backoff
) -> AttemptEnded | None:
    """Return the end of an attempt once it is stored; None if this worker no longer holds it.

    Args:
        attempts: stores the end.
        running: the attempt.
        run_result: the attempt's result.
        backoff: the handler's back-off.
    """
    failures = refusals = 0
    while running.cause is not StopReason.LOST:
        completion = _completion(running, run_result, backoff, alone=failures > 0)
        try:
            return await attempts.end(completion)
        except (StaleAttempt, IllegalTransition) as error:
            _log.warning("an outcome is dropped: %s", error)
            return None
        except Exception as error:
            failures += 1
            instead = _refused(error)
            small = completion._replace(decide=decision(instead, backoff))
            if _may_be_its_fault(error, run_result, failures) and await attempts.would_take(small):
                refusals += 1
            if refusals >= _REFUSALS:
                _log.error("the outcome of task %s cannot be stored", running.task.id)
                run_result = instead
        await asyncio.sleep(_PAUSE_SECONDS)
    return None


async def with_pause(
    attempts: AttemptService, running: RunningAttempt, run_result: PayloadMismatch, schema: str
) -> PayloadMismatch:
    """Return the result of a payload that does not fit, with a pause if another version takes it.

    Args:
        attempts: returns the pause.
        running: the attempt.
        run_result: the mismatch.
        schema: the handler's schema in this worker.
    """
    while running.cause is not StopReason.LOST:
        try:
            pause = await attempts.pause_of_unfit(running.task, schema)
        except DatabaseUnavailable:
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        if pause is not None:
            running.context.logger.info(
                "the payload fits another version of the handler, which is published: the task is "
                "due again in %g seconds",
                pause,
            )
        return replace(run_result, pause=pause)
    return run_result


def _may_be_its_fault(error: Exception, run_result: RunResult, failures: int) -> bool:
    if isinstance(error, ConnectionLost):
        return failures >= _TRIES and weight(run_result) >= _LARGE_BYTES
    return not isinstance(error, DatabaseUnavailable)


def _completion(
    running: RunningAttempt, run_result: RunResult, backoff: Backoff, *, alone: bool
) -> Completion:
    task = running.task
    assert task.worker_id is not None
    return Completion(
        task_id=task.id,
        attempt=task.attempt,
        worker_id=task.worker_id,
        decide=decision(run_result, backoff),
        claimed=task if isinstance(run_result, Succeeded) and not running.reported else None,
        weight=_TRAVELS_ALONE if alone else weight(run_result),
        traceparent=running.traceparent,
    )


def _refused(error: Exception) -> Failed:
    cause = str(error.__cause__ or error).partition("\n")[0]  # the rest is the statement
    return Failed(
        Failure(
            outcome=Outcome.FAILED,
            type="OutcomeRefused",
            message=printable(f"{task_log.REFUSED}: {cause}", _LONGEST_MESSAGE),
            fatal=True,
        )
    )
