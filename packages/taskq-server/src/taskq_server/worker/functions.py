"""What arq calls for a doorbell, and what follows from a committed failure.

`on_retry` and `on_job_failure` are not arq's hooks: those are skipped whenever a job dies before
its function starts. These follow from the transition that was committed, on every path.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from taskq_server.domain.task import Attempt, Outcome, Status, Task
from taskq_server.handlers.declare import Hook
from taskq_server.handlers.registry import Registry, TaskEvent

RUNNER = "runner"
_log = logging.getLogger("taskq.server.worker")


class RunsAttempts(Protocol):
    """What `execute_task` needs from its context."""

    async def run(self, task_id: UUID, attempt: int) -> bool:
        """Run one attempt of a task; False when it was not ours to run."""


async def execute_task(ctx: Mapping[str, Any], task_id: str, attempt: int) -> bool:
    """Run one attempt of a task: the one function that arq knows.

    The row decides everything, so this never raises for arq to retry.

    Args:
        ctx: arq's context; `runner` runs attempts.
        task_id: the task.
        attempt: the attempt the doorbell rang for.

    Returns:
        Whether it was run here.
    """
    runner: RunsAttempts = ctx[RUNNER]
    try:
        wanted = UUID(task_id)
    except ValueError:
        _log.warning("a doorbell for %.80r is dropped: that is no task id", task_id)
        return False
    return await runner.run(wanted, attempt)


async def on_retry(registry: Registry, event: TaskEvent, *, seconds: float) -> None:
    """Tell the `@on_retry` hooks that an attempt failed and another one follows."""
    _log.info(
        "task %s (%s) attempt %d failed, next try %s: %s",
        event.task_id, event.handler, event.attempt, event.retry_at, event.error_type,
    )  # fmt: skip
    await _call_all(registry.hooks_for(Hook.RETRY), event, seconds)


async def on_job_failure(registry: Registry, event: TaskEvent, *, seconds: float) -> None:
    """Tell the `@on_job_failure` hooks that a task failed for good."""
    _log.warning(
        "task %s (%s) failed for good at attempt %d: %s: %.200s",
        event.task_id, event.handler, event.attempt, event.error_type, event.error_message,
    )  # fmt: skip
    await _call_all(registry.hooks_for(Hook.JOB_FAILURE), event, seconds)


async def tell(registry: Registry, attempt: Attempt, task: Task, *, seconds: float) -> None:
    """Run the hook that an ended attempt calls for, if any.

    Args:
        registry: knows the hooks.
        attempt: how it ended.
        task: the task after it.
        seconds: longest run of one hook.
    """
    if not attempt.outcome.is_error:
        return
    event = TaskEvent(
        task_id=task.id,
        handler=task.handler,
        attempt=attempt.attempt,
        error_type=attempt.error_type or "",
        error_message=attempt.error_message or "",
        retry_at=attempt.retry_at,
    )
    if attempt.retry_at is not None:
        await on_retry(registry, event, seconds=seconds)
    elif attempt.outcome is not Outcome.LOST or task.status is Status.FAILED:
        await on_job_failure(registry, event, seconds=seconds)


async def _call_all(hooks: Sequence[Callable[..., Any]], event: TaskEvent, seconds: float) -> None:
    for hook in hooks:
        try:
            async with asyncio.timeout(seconds):
                await call(hook, event)
        except (Exception, SystemExit, KeyboardInterrupt):
            _log.exception("the hook %s failed for task %s", hook.__name__, event.task_id)


async def call(function: Callable[..., Any], argument: object) -> None:
    """Call user code: a coroutine function on the loop, any other in a thread."""
    if inspect.iscoroutinefunction(function):
        await function(argument)
    else:
        await asyncio.to_thread(function, argument)
