"""A taskq server in memory, used as the `transport` of a client."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import httpx

from taskq_client._async import AsyncTaskqClient
from taskq_client._options import Priority, PriorityName
from taskq_client._sync import TaskqClient
from taskq_client.models import Task
from taskq_client.testing import _routes
from taskq_client.testing._handlers import Handlers
from taskq_client.testing._headers import OF_EVERY_ANSWER, request_id
from taskq_client.testing._operations import submit_child
from taskq_client.testing._problems import Problem
from taskq_client.testing._steps import Outcome, Script, scripted
from taskq_client.testing._store import FakeStore
from taskq_client.testing._unique import check_pointer


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FakeTaskq(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A server and its worker, for tests: give it to a client as `transport`.

    The handlers are those of `on` and `load`, and the built-in `taskq.echo`, `taskq.sleep` and
    `taskq.flaky`. Tasks run by themselves when they are due. Time passes as usual, and `advance`
    skips time. The clients use the same clock, so a wait for a task, or a pause before another try,
    takes no real time. A wait that no task would end in time is over as soon as no other request
    has come for half a second.

    Args:
        clock: The time as it passes by itself, aware UTC.
    """

    def __init__(self, clock: Callable[[], datetime] = _utc_now) -> None:
        self._store = FakeStore(clock)
        self._failures: deque[Problem | Exception] = deque()
        self.requests: list[str] = []
        """Method and path of each request, with its query."""

    def on(
        self,
        handler: str,
        *outcomes: Outcome,
        queue: str | None = None,
        priority: Priority | PriorityName | None = None,
        tags: Iterable[str] | None = None,
        unique_key: str | None = None,
    ) -> None:
        """Publish a handler, and say what its attempts do.

        Args:
            handler: Its name.
            *outcomes: What the first attempt of a task does, the second, and so on; the last one
                counts for all that follow. Each is a `Step`, an exception to fail with, a function
                that is called with the payload and may use the fake itself, or else the result.
                Default: None is the result.
            queue: The queue of tasks whose submit names none. Default: what a loaded handler says,
                else `default`.
            priority: Of such tasks. Default: what a loaded handler says, else `normal`.
            tags: Of such tasks. Default: what a loaded handler says, else none.
            unique_key: A JSON pointer to the unique key in the payload of such tasks, as of
                `@handler`. Default: what a loaded handler says, else none.

        Raises:
            TypeError: An outcome is an async function.
            ValueError: `unique_key` is no JSON pointer.
        """
        check_pointer(unique_key)
        self._store.scripts[handler] = scripted(outcomes)
        said = {
            "queue": queue,
            "priority": None if priority is None else str(priority),
            "tags": None if tags is None else sorted(set(tags)),
            "unique_key": unique_key,
        }
        self._store.defaults[handler] = {
            name: value for name, value in said.items() if value is not None
        }

    def load(self, handlers: Handlers) -> None:
        """Publish handlers from elsewhere, which check their payloads and run for their tasks.

        With taskq-server installed, `load(taskq_server.testing.handlers("jobs"))` takes those of a
        worker. `on` scripts one of them afterwards; its payloads are still checked.

        Args:
            handlers: Any object with `names`, `validate` and `call`, as `Handlers` says.
        """
        for name in handlers.names():
            self._store.scripts[name] = self._calling(handlers)
            self._store.sources[name] = handlers
            self._store.defaults.pop(name, None)

    def _calling(self, handlers: Handlers) -> Script:
        def call(task: dict[str, Any]) -> Outcome:
            def submit(body: dict[str, Any], key: str) -> str:
                return submit_child(self._store, task["id"], body, key)

            return handlers.call(task, submit)

        return call

    @property
    def submitted(self) -> list[Task]:
        """The tasks as they were submitted, in that order, deleted ones included."""
        return [Task.model_validate(task.states[0]) for task in [*self._store.stored]]

    @property
    def tasks(self) -> list[Task]:
        """The tasks as they are now, in the order of their submits."""
        self._store.run_due()
        return [Task.model_validate(fields) for fields in self._store.fields]

    @property
    def now(self) -> datetime:
        """The time at the fake server."""
        return self._store.now

    def monotonic(self) -> float:
        """Return the time for clients of this server: seconds, skipped ones included."""
        return (self._store.now - self._store.born).total_seconds()

    def pass_time(self, seconds: float) -> None:
        """Skip the time that a client would sleep."""
        self._store.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass at once: delayed tasks run, back-offs end, long attempts finish.

        Args:
            seconds: How much, 0 or more.
        """
        if not (isfinite(seconds) and seconds >= 0):
            raise ValueError(f"seconds must be a number, 0 or more, not {seconds!r}")
        self._store.advance(seconds)

    def make_key(self, *scopes: str, name: str = "test") -> str:
        """Make an API key; from the first one on, each request needs one.

        Args:
            *scopes: What the key may do, such as `tasks:read` or `tasks:run:reports.*`.
            name: Its name, which `whoami` tells.

        Raises:
            ValueError: A scope is none, or there is none.
        """
        return self._store.keys.make(scopes, name, self._store.now)

    def revoke_key(self, key: str) -> None:
        """Revoke a key: it opens nothing any more, and the next request with it is refused.

        Raises:
            ValueError: This fake has not made the key.
        """
        self._store.keys.revoke(key)

    def fail_next(
        self, status: int = 503, *, times: int = 1, retry_after: float | None = None
    ) -> None:
        """Answer the next requests with an error, without serving them.

        Args:
            status: Its HTTP status.
            times: How many requests.
            retry_after: Seconds after which the server asks to try again.
        """
        headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        self._failures += [Problem("scripted", headers=headers, status=status)] * times

    def break_next(self, times: int = 1) -> None:
        """Break the connection of the next requests, before they reach the server."""
        self._failures += [httpx.ConnectError("broken by the test") for _ in range(times)]

    def client(self, **options: Any) -> TaskqClient:
        """Make a client of this server, with options as for `TaskqClient`."""
        return TaskqClient(transport=self, **options)

    def async_client(self, **options: Any) -> AsyncTaskqClient:
        """Make an async client of this server, with options as for `AsyncTaskqClient`."""
        return AsyncTaskqClient(transport=self, **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Serve a request of a blocking client."""
        request.read()
        served = self._serve(request)
        while True:
            try:
                _pause(next(served))
            except StopIteration as stop:
                response: httpx.Response = stop.value
                return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve a request of an async client."""
        await request.aread()
        served = self._serve(request)
        while True:
            try:
                # A thread sleeps, because the clock of the loop may stand still in a test.
                await asyncio.to_thread(_pause, next(served))
            except StopIteration as stop:
                response: httpx.Response = stop.value
                return response

    def _serve(self, request: httpx.Request) -> Generator[float, None, httpx.Response]:
        self.requests.append(f"{request.method} {request.url.raw_path.decode()}")
        named = request_id(request, len(self.requests))
        try:
            with self._store.lock:
                failure = self._failures.popleft() if self._failures else None
            if failure is not None:
                raise failure
            response = yield from _routes.answer(self._store, request)
        except Problem as problem:
            response = problem.response(named)
        response.headers.update({**OF_EVERY_ANSWER, "x-request-id": named})
        if request.method == "HEAD":
            response = httpx.Response(response.status_code, headers=response.headers)
        return response


def _pause(seconds: float) -> None:
    """Sleep in real time, even if a test has replaced `time`."""
    threading.Event().wait(seconds)
