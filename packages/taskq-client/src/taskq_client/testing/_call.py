"""A request to the fake, once it is valid, and answers in JSON."""

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from taskq_client._channels import WAIT_BUDGET
from taskq_client.testing import _catalog
from taskq_client.testing._keys import Caller
from taskq_client.testing._problems import not_found
from taskq_client.testing._store import FakeStore, Submitted
from taskq_client.testing._task import FakeTask
from taskq_client.testing._waiting import wait

Answering = Generator[float, None, httpx.Response]


@dataclass(frozen=True)
class Call:
    """A valid request.

    Attributes:
        store: The state of the fake.
        request: The request as it came.
        caller: Who asks.
        task_id: The id in its path, or the name of a queue.
        given: The query as it came.
        query: The parameters in the query, with defaults.
        document: The body as it was parsed.
        body: The body with defaults.
    """

    store: FakeStore
    request: httpx.Request
    caller: Caller
    task_id: str
    given: Sequence[tuple[str, str]]
    query: Mapping[str, Any]
    document: Any
    body: dict[str, Any]

    def task(self, task_id: str) -> FakeTask:
        """Find a task that the caller sees."""
        task = self.store.task(task_id)
        if not self.caller.sees(task.submitted_by):
            raise not_found(task_id)
        return task

    def shown(self, task: FakeTask) -> dict[str, Any]:
        """Return a task, without its contents if the caller does not see it."""
        if self.caller.sees(task.submitted_by):
            return task.fields
        hidden: dict[str, Any] = {"payload": {}, "result": None, "errors": [], "traceparent": None}
        return {**task.fields, **hidden}

    def stored(self, task: FakeTask, found: Submitted) -> dict[str, Any]:
        """Return a task of a submit, or the little that its caller may know of one with its key."""
        if found.conflicts and not self.caller.sees(task.submitted_by):
            return {name: task.fields[name] for name in ("id", "status")}
        return self.shown(task)

    def wait(self, task_ids: Iterable[str], seconds: float) -> Generator[float, None, None]:
        """Let time pass until one of these tasks is final."""
        budget = self.request.extensions.get(WAIT_BUDGET, seconds)
        if seconds:
            yield from wait(self.store, list(task_ids), seconds, max(seconds, budget))


def published(store: FakeStore, handler: str) -> dict[str, Any]:
    """Return the entry of a handler in `GET /handlers`."""
    return _catalog.published(handler, store.sources.get(handler), store.defaults.get(handler, {}))


def answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Return an answer whose body is JSON."""
    typed = {"content-type": "application/json", **(headers or {})}
    return httpx.Response(status, headers=typed, content=dumped(value).encode())


def stream(text: str) -> httpx.Response:
    """Return an answer whose body is a whole stream of events."""
    headers = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    return httpx.Response(200, headers=headers, content=text)


def dumped(value: Any) -> str:
    """Return JSON text without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
