"""Run a task: submit it, wait for its end, and take its result."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from taskq_client import _answers
from taskq_client._inputs import reader
from taskq_client._sender import RetryingSender
from taskq_client._tasks import Tasks
from taskq_client._wait_budget import wait_seconds
from taskq_client._waits import OnProgress, Waits
from taskq_client.errors import TaskCancelled, TaskFailed
from taskq_client.models import Duration, Task, TaskOptions, TaskStatus


class Runs:
    """Run tasks.

    Args:
        sender: Says how callbacks are called.
        tasks: Submits a task.
        waits: Waits for its end.
    """

    def __init__(self, sender: RetryingSender, tasks: Tasks, waits: Waits) -> None:
        self._sender = sender
        self._tasks = tasks
        self._waits = waits

    async def run(
        self,
        handler: str,
        payload: Mapping[str, object] | None,
        timeout: Duration | None,
        key: str | None,
        options: TaskOptions,
        returns: object = None,
        on_progress: OnProgress | None = None,
        traceparent: str | None = None,
    ) -> Any:
        # The arguments of the wait are checked first, because a stored task is waited for.
        wait_seconds(timeout)
        with self._sender.channel.callback("on_progress", on_progress) as checked:
            result_type = reader("returns", returns)
            found = await self._tasks.submit(handler, payload, key, options, traceparent)
            return result_of(await self._waits.wait(found.task, timeout, checked), result_type)


def result_of(task: Task, result_type: TypeAdapter[Any] | None = None) -> Any:
    """Return the result of a task that has ended, or raise how it ended instead."""
    if task.status == TaskStatus.CANCELLED:
        raise TaskCancelled(task)
    if task.status != TaskStatus.SUCCEEDED:
        raise TaskFailed(task)
    return task.result if result_type is None else _answers.result_as(task, result_type)
