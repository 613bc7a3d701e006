"""The function that arq calls for a doorbell, and the hooks that follow a committed failure.

`on_retry` and `on_job_failure` are not arq's hooks, because arq skips its hooks whenever a job dies
before its function starts. They follow each committed transition, on every path.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from taskq_server.domain.task import Attempt, Task
from taskq_server.handlers.declare import Hook, qualified_name
from taskq_server.handlers.registry import Registry, TaskEvent
from taskq_server.worker.calls import Calls

RUNNER = "runner"
_log = logging.getLogger("taskq.server.worker")


class RunsAttempts(Protocol):
    """The runner in the context of `execute_task`."""

    async def run(self, task_id: UUID, attempt: int) -> bool:
        """Run one attempt of a task; return False if this worker may not run it."""


async def execute_task(ctx: Mapping[str, Any], task_id: str, attempt: int) -> bool:
    """Run one attempt of a task; this is the only function of arq's worker.

    The row decides everything, so this never raises an error for arq to retry.

    Args:
        ctx: arq's context; `runner` runs attempts.
        task_id: the task.
        attempt: the attempt that the doorbell rang for.

    Returns:
        Whether the attempt ran here.
    """
    runner: RunsAttempts = ctx[RUNNER]
    try:
        wanted = UUID(task_id)
    except ValueError:
        _log.warning("a doorbell for %.80r is dropped: that is no task id", task_id)
        return False
    return await runner.run(wanted, attempt)


async def on_retry(registry: Registry, event: TaskEvent, calls: Calls) -> BaseException | None:
    """Tell the `@on_retry` hooks that an attempt failed and another one follows."""
    return await _call_all(registry.hooks_for(Hook.RETRY), event, calls)


async def on_job_failure(
    registry: Registry, event: TaskEvent, calls: Calls
) -> BaseException | None:
    """Tell the `@on_job_failure` hooks that a task failed for good."""
    return await _call_all(registry.hooks_for(Hook.JOB_FAILURE), event, calls)


def event_of(attempt: Attempt, task: Task) -> TaskEvent:
    """Return the event of a failed attempt for hooks."""
    return TaskEvent(
        task_id=task.id,
        handler=task.handler,
        attempt=attempt.attempt,
        error_type=attempt.error_type or "",
        error_message=attempt.error_message or "",
        retry_at=attempt.retry_at,
        traceparent=task.traceparent,
    )


def hook_of(event: TaskEvent) -> Hook:
    """Return the moment at which user code can run, that an event is."""
    return Hook.JOB_FAILURE if event.retry_at is None else Hook.RETRY


async def tell(registry: Registry, event: TaskEvent, calls: Calls) -> BaseException | None:
    """Run the hooks for an event, one after the other, and return the last error of theirs.

    Args:
        registry: contains the hooks.
        event: a committed failure.
        calls: calls the hooks with a time limit.
    """
    run_hooks = on_job_failure if hook_of(event) is Hook.JOB_FAILURE else on_retry
    return await run_hooks(registry, event, calls)


async def _call_all(
    hooks: Sequence[Callable[..., Any]], event: TaskEvent, calls: Calls
) -> BaseException | None:
    last = None
    for hook in hooks:
        error = await calls(hook, event)
        if error is not None:
            last = error
            _log.error(
                "the hook %s failed for task %s",
                qualified_name(hook),
                event.task_id,
                exc_info=error,
            )
    return last
