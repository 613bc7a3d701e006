"""Every operation once, as a coroutine that awaits nothing but its channel."""

from collections.abc import Mapping
from typing import Any, TypeVar, overload

from taskq_client import _answers
from taskq_client._bulk import Bulk
from taskq_client._exchange import wait_seconds
from taskq_client._waits import OnProgress
from taskq_client.errors import TaskCancelled, TaskFailed
from taskq_client.models import Duration, Task, TaskOptions, TaskStatus

T = TypeVar("T")


class Core(Bulk):
    """All operations, in layers: requests, waits, batches, and results."""

    async def run(
        self,
        handler: str,
        payload: Mapping[str, object] | None,
        timeout: Duration | None,
        key: str | None,
        options: TaskOptions,
        returns: type[T] | None = None,
        on_progress: OnProgress | None = None,
    ) -> T | Any:
        wait_seconds(timeout)
        task = await self.submit(handler, payload, key, options)
        return result_of(await self.wait(task, timeout, on_progress), returns)


@overload
def result_of(task: Task, returns: None = None) -> Any: ...
@overload
def result_of(task: Task, returns: type[T]) -> T: ...
@overload
def result_of(task: Task, returns: type[T] | None) -> T | Any: ...


def result_of(task: Task, returns: type[T] | None = None) -> T | Any:
    """Take the result of a task that has ended, or raise how it ended instead."""
    if task.status == TaskStatus.CANCELLED:
        raise TaskCancelled(task)
    if task.status != TaskStatus.SUCCEEDED:
        raise TaskFailed(task)
    return task.result if returns is None else _answers.result_as(task, returns)
