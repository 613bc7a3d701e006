"""Run one handler for a test, attempt after attempt, in the time of the test."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from taskq_server.domain import lifecycle
from taskq_server.domain.task import Fire
from taskq_server.handlers import registry
from taskq_server.testing.recorded import RecordedAttempt, Watch
from taskq_server.testing.records import AttemptRecord, HandlerRun
from taskq_server.testing.tasks import (
    DEFAULTS,
    WORKER_ID,
    Children,
    json_of,
    new_task,
    state_of,
)
from taskq_server.worker.attempts.executor import Executor, Limits

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def longest() -> float:
    """Return 1, so that each back-off is the longest one possible and a test can name it."""
    return 1.0


async def run_async(
    handler: Callable[..., Any],
    payload: Mapping[str, Any] | None = None,
    *,
    state: object = None,
    max_retries: int | None = None,
    timeout: float | None = None,
    cancel_after: float | None = None,
    watch: Watch | None = None,
    random: Callable[[], float] = longest,
    now: datetime = NEW_YEAR,
    schedule: Fire | None = None,
) -> HandlerRun:
    """Run a handler as a worker does, up to the end of its task; `run` is the same, blocking.

    Args:
        handler: a function under `@handler`.
        payload: its parameters, as JSON; None stands for none.
        state: `context.state`: an object, or a mapping of its attributes. Start-up hooks are not
            run.
        max_retries: retries after the first try, 0 to 100; None takes the handler's number, or 3.
        timeout: seconds of real time one attempt may run; None takes the handler's limit, or 300.
        cancel_after: seconds of real time after which the task is cancelled, if one of its attempts
            runs that long.
        watch: called with the running attempt whenever its handler reports progress, writes a log
            line or submits a child; it may `cancel()`, `time_out()` or `release()` the attempt. An
            error of its own ends the run, and is raised.
        random: decides each back-off, as a part of the longest one possible; `random.random` draws
            as a worker does.
        now: when the task starts, aware UTC. Back-offs move this time on; attempts take none of it.
        schedule: `context.schedule`: the schedule that has fired the task, and for which time; None
            stands for a task that was submitted.

    Raises:
        ConfigurationError: the function is no handler, or cannot work as one.
        TypeError, ValueError: another argument cannot be used.
    """
    read = registry.read(handler)
    task = new_task(read, json_of(payload), max_retries, timeout, now)
    executor = Executor(1, Limits.of(DEFAULTS))
    submit = Children(now)
    attempts: list[AttemptRecord] = []
    try:
        while not task.status.final:
            now = max(now, task.due_at)
            claimed = lifecycle.claim(task, worker_id=WORKER_ID, now=now)
            attempt = RecordedAttempt(claimed, state_of(state), submit, watch, schedule)
            with attempt.cancelled_after(cancel_after):
                ended, record = await attempt.end(executor, read, random, now)
            attempts.append(record)
            task = ended.task
    finally:
        executor.close()
    return HandlerRun(task.status, attempts)


def run(
    handler: Callable[..., Any],
    payload: Mapping[str, Any] | None = None,
    *,
    state: object = None,
    max_retries: int | None = None,
    timeout: float | None = None,
    cancel_after: float | None = None,
    watch: Watch | None = None,
    random: Callable[[], float] = longest,
    now: datetime = NEW_YEAR,
    schedule: Fire | None = None,
) -> HandlerRun:
    """Run a handler as a worker does, on an event loop of its own; arguments as for `run_async`.

    Raises:
        RuntimeError: the call is on an event loop, which it would block.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("run blocks the event loop: await run_async(...) instead")
    return asyncio.run(
        run_async(
            handler,
            payload,
            state=state,
            max_retries=max_retries,
            timeout=timeout,
            cancel_after=cancel_after,
            watch=watch,
            random=random,
            now=now,
            schedule=schedule,
        )
    )
