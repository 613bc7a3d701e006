"""Every operation once, as a coroutine that awaits nothing but its channel."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from taskq_client import _answers, _requests
from taskq_client._channels import Answer, Channel, Request
from taskq_client.errors import (
    ConfigurationError,
    InvalidRequest,
    NotFound,
    TaskCancelled,
    TaskFailed,
    TaskqError,
    WaitTimeout,
)
from taskq_client.models import (
    Attempt,
    Handler,
    Health,
    ListFilters,
    NewTask,
    Page,
    Tag,
    Task,
    TaskChanges,
    TaskOptions,
    TaskStatus,
)
from taskq_client.retry import RetryPolicy, lost_in_transit, pause_after

LONG_POLL_SECONDS = 20.0
POLL_PAUSE = 0.25
GRACE_SECONDS = 2.0
JSON = {"Content-Type": "application/json"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}

log = logging.getLogger("taskq.client")


def _random_key() -> str:
    return uuid4().hex


@dataclass(frozen=True)
class Core:
    """The operations; what they need of time and chance comes in."""

    channel: Channel
    policy: RetryPolicy
    timeout: float
    clock: Callable[[], float] = time.monotonic
    new_key: Callable[[], str] = _random_key

    def __post_init__(self) -> None:
        if not 0 < self.timeout < math.inf:
            raise ConfigurationError(
                f"timeout must be a number of seconds over 0, not {self.timeout!r}"
            )

    async def submit(
        self,
        handler: str,
        payload: Mapping[str, object] | None,
        key: str | None,
        options: TaskOptions,
    ) -> Task:
        body = _requests.new_task({**options, "handler": handler, "payload": payload})
        answer = await self._post("/tasks", body, self.new_key() if key is None else key)
        return _answers.decode(answer, Task)

    async def submit_many(
        self, items: Iterable[NewTask | Mapping[str, object]], key: str | None
    ) -> list[Task]:
        bodies = list(_requests.batches(items))
        key = self.new_key() if key is None else key
        tasks: list[Task] = []
        for number, body in enumerate(bodies, 1):
            answer = await self._post("/tasks/batch", body, f"{key}/{number}")
            tasks += _answers.decode(answer, Page[Task]).items
        return tasks

    async def get(self, task: Task | str) -> Task:
        return _answers.decode(await self._get(_requests.task_path(task)), Task)

    async def page(self, query: str, cursor: str | None) -> Page[Task]:
        return _answers.decode(await self._get(_requests.list_path(query, cursor)), Page[Task])

    async def update(self, task: Task | str, if_match: int | None, changes: TaskChanges) -> Task:
        headers = MERGE_PATCH if if_match is None else {**MERGE_PATCH, "If-Match": f'"{if_match}"'}
        body = _requests.changes_patch(changes)
        request = Request("PATCH", _requests.task_path(task), self.timeout, headers, body)
        return _answers.decode(await self._exchange(request), Task)

    async def delete(self, task: Task | str) -> None:
        failures: list[TaskqError] = []
        try:
            await self._exchange(
                Request("DELETE", _requests.task_path(task), self.timeout), failures
            )
        except NotFound:
            if not any(lost_in_transit(failure) for failure in failures):
                raise

    async def cancel(self, task: Task | str) -> Task:
        request = Request("POST", _requests.task_path(task, "/cancel"), self.timeout)
        return _answers.decode(await self._exchange(request), Task)

    async def retry(self, task: Task | str) -> Task:
        request = Request("POST", _requests.task_path(task, "/retry"), self.timeout)
        return _answers.decode(await self._exchange(request), Task)

    async def wait(self, task: Task | str, timeout: float | None) -> Task:
        deadline = math.inf if timeout is None else self.clock() + _wait_seconds(timeout)
        last = task if isinstance(task, Task) else None
        # A server that has never answered may not exist: only a deadline makes it worth asking on.
        delays = self.policy.delays(endless=last is not None or deadline < math.inf)
        while True:
            asked_at = self.clock()
            try:
                last = await self._poll(task, max(0.0, deadline - asked_at))
            except TaskqError as error:
                pause = pause_after(error, delays)
                if pause is None or (last is None and self.clock() >= deadline):
                    raise
            else:
                if last.final:
                    return last
                delays = self.policy.delays(endless=True)
                pause = POLL_PAUSE - (self.clock() - asked_at)
            if last is not None and self.clock() >= deadline:
                raise WaitTimeout(last)
            await self.channel.sleep(max(0.0, min(pause, deadline - self.clock())))

    async def run(
        self,
        handler: str,
        payload: Mapping[str, object] | None,
        timeout: float | None,
        key: str | None,
        options: TaskOptions,
    ) -> Any:
        if timeout is not None:
            _wait_seconds(timeout)
        return result_of(
            await self.wait(await self.submit(handler, payload, key, options), timeout)
        )

    async def attempts(self, task: Task | str) -> list[Attempt]:
        answer = await self._get(_requests.task_path(task, "/attempts"))
        return _answers.decode(answer, Page[Attempt]).items

    async def handlers(self) -> list[Handler]:
        return _answers.decode(await self._get("/handlers"), Page[Handler]).items

    async def tags(self) -> list[Tag]:
        return _answers.decode(await self._get("/tags"), Page[Tag]).items

    async def health(self) -> Health:
        request = Request("GET", "/readyz", self.timeout)
        return _answers.health(await self._exchange(request, any_status=True))

    async def _get(self, path: str) -> Answer:
        return await self._exchange(Request("GET", path, self.timeout))

    async def _post(self, path: str, body: bytes, key: str) -> Answer:
        headers = {**JSON, **_requests.idempotency_header(key)}
        return await self._exchange(Request("POST", path, self.timeout, headers, body))

    async def _poll(self, task: Task | str, left: float) -> Task:
        seconds = round(min(LONG_POLL_SECONDS, left), 3)
        path = _requests.task_path(task, f"?wait={seconds:g}" if seconds else "")
        request = Request("GET", path, min(seconds + self.timeout, left + GRACE_SECONDS))
        answer = await self._send(request)
        _answers.check(answer)
        return _answers.decode(answer, Task)

    async def _exchange(
        self,
        request: Request,
        failures: list[TaskqError] | None = None,
        *,
        any_status: bool = False,
    ) -> Answer:
        delays = self.policy.delays()
        while True:
            try:
                answer = await self._send(request)
                if not any_status:
                    _answers.check(answer)
                return answer
            except TaskqError as error:
                pause = pause_after(error, delays)
                if pause is None:
                    raise
                if failures is not None:
                    failures.append(error)
            await self.channel.sleep(pause)

    async def _send(self, request: Request) -> Answer:
        started_at = self.clock()
        outcome = "no answer"
        try:
            answer = await self.channel.send(request)
            outcome = str(answer.status)
            return answer
        finally:
            path = request.path.partition("?")[0]
            log.debug("%s %s: %s, %.3f s", request.method, path, outcome, self.clock() - started_at)


class Pages:
    """Where an iteration over a list stands."""

    def __init__(self, core: Core, filters: ListFilters) -> None:
        self._core = core
        self._query = _requests.list_query(filters)
        self._cursor: str | None = None
        self._more = True

    async def next(self) -> list[Task] | None:
        """Fetch the next page, which may be empty; None after the last one."""
        if not self._more:
            return None
        page = await self._core.page(self._query, self._cursor)
        self._cursor = page.next_cursor
        self._more = bool(page.next_cursor)
        return page.items


def result_of(task: Task) -> Any:
    """Take the result of a task that has ended, or raise how it ended instead."""
    if task.status == TaskStatus.CANCELLED:
        raise TaskCancelled(task)
    if task.status != TaskStatus.SUCCEEDED:
        raise TaskFailed(task)
    return task.result


def _wait_seconds(timeout: float) -> float:
    if not timeout >= 0:
        raise InvalidRequest(f"a wait takes 0 seconds or more, not {timeout!r}")
    return timeout
