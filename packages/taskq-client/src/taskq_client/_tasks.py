"""The operations on tasks that are one request each, or one for each page."""

import builtins
from collections.abc import AsyncGenerator, Callable, Mapping

from taskq_client import _answers, _requests, _submitted, _tracing
from taskq_client._channels import Request
from taskq_client._inputs import count
from taskq_client._sender import RetryingSender
from taskq_client._submitted import Submitted
from taskq_client.errors import NotFound, TaskqError
from taskq_client.models import (
    Attempt,
    ListFilters,
    Page,
    Task,
    TaskChanges,
    TaskLike,
    TaskOptions,
)
from taskq_client.retry import lost_in_transit

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


class Tasks:
    """Submit, read and change tasks.

    Attributes:
        on_unheard: Is called with a task that was submitted and waits in a queue to which no live
            worker listens.

    Args:
        sender: Sends the requests.
    """

    def __init__(self, sender: RetryingSender) -> None:
        self._sender = sender
        self.on_unheard: Callable[[Task], object] | None = None

    async def submit(
        self,
        handler: str,
        payload: Mapping[str, object] | None,
        key: str | None,
        options: TaskOptions,
        traceparent: str | None = None,
    ) -> Submitted:
        body = _requests.new_task({**options, "handler": handler, "payload": payload})
        key = self._sender.new_key() if key is None else key
        with _tracing.submitting(handler, traceparent) as headers:
            answer = await self._sender.post("/tasks", body, key, **headers)
            found = _submitted.one(answer)
            _tracing.stored(found.task.id)
        is_unheard = found.task.queue and answer.headers.get("queue-listeners") == "0"
        if self.on_unheard is not None and is_unheard:
            self.on_unheard(found.task)
        return found

    async def get(self, task: TaskLike) -> Task:
        return _answers.decode(await self._sender.get(_requests.task_path(task)), Task)

    async def list(self, filters: ListFilters) -> AsyncGenerator[Task, None]:
        query = _requests.list_query(filters)
        cursor, more = None, True
        while more:
            answer = await self._sender.get(_requests.list_path(query, cursor))
            page = _answers.decode(answer, Page[Task])
            cursor, more = page.next_cursor, bool(page.next_cursor)
            for task in page.items:
                yield task

    async def update(self, task: TaskLike, if_match: int | None, changes: TaskChanges) -> Task:
        headers = dict(MERGE_PATCH)
        if if_match is not None:
            headers["If-Match"] = f'"{count("if_match", if_match)}"'
        body = _requests.changes_patch(changes)
        request = Request("PATCH", _requests.task_path(task), self._sender.timeout, headers, body)
        return _answers.decode(await self._sender.send(request), Task)

    async def delete(self, task: TaskLike) -> None:
        failures: list[TaskqError] = []
        try:
            await self._sender.send(
                Request("DELETE", _requests.task_path(task), self._sender.timeout), failures
            )
        except NotFound:
            if not any(lost_in_transit(failure) for failure in failures):
                raise

    async def cancel(self, task: TaskLike) -> Task:
        request = Request("POST", _requests.task_path(task, "/cancel"), self._sender.timeout)
        return _answers.decode(await self._sender.send(request), Task)

    async def retry(self, task: TaskLike) -> Task:
        request = Request("POST", _requests.task_path(task, "/retry"), self._sender.timeout)
        return _answers.decode(await self._sender.send(request), Task)

    async def attempts(self, task: TaskLike) -> builtins.list[Attempt]:
        answer = await self._sender.get(_requests.task_path(task, "/attempts"))
        return _answers.decode(answer, Page[Attempt]).items
