"""Every operation once, as a coroutine that awaits nothing but its channel."""

from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import TypeAdapter

from taskq_client import _answers
from taskq_client._bulk import Bulk
from taskq_client._callbacks import check_callback
from taskq_client._inputs import reader
from taskq_client._sender import wait_seconds
from taskq_client._waits import OnProgress
from taskq_client.errors import TaskCancelled, TaskFailed
from taskq_client.models import Duration, Task, TaskOptions, TaskStatus


class Core(Bulk):
    """All operations, in layers: requests, waits, batches, and results."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a client and its handles hold connections and do not pickle: "
            "send the task's id, or handle.task, and make a client where it arrives"
        )

    async def run(
        self,
        handler: str,
        payload: Mapping[str, object] | None,
        timeout: Duration | None,
        key: str | None,
        options: TaskOptions,
        returns: object = None,
        on_progress: OnProgress | None = None,
    ) -> Any:
        # A task that is stored is waited for: what is wrong with the wait is found first.
        wait_seconds(timeout)
        check_callback("on_progress", on_progress)
        result_type = reader("returns", returns)
        task = await self.submit(handler, payload, key, options)
        return result_of(await self.wait(task, timeout, on_progress), result_type)


def result_of(task: Task, result_type: TypeAdapter[Any] | None = None) -> Any:
    """Take the result of a task that has ended, or raise how it ended instead."""
    if task.status == TaskStatus.CANCELLED:
        raise TaskCancelled(task)
    if task.status != TaskStatus.SUCCEEDED:
        raise TaskFailed(task)
    return task.result if result_type is None else _answers.result_as(task, result_type)
