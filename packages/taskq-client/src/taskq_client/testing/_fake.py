"""A taskq server in memory, used as the `transport` of a client."""

import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from taskq_client._async import AsyncTaskqClient
from taskq_client._sync import TaskqClient
from taskq_client.models import Task
from taskq_client.testing import _routes
from taskq_client.testing._problems import Problem
from taskq_client.testing._steps import Outcome, scripted
from taskq_client.testing._world import World


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FakeTaskq(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A server and its worker, for tests: give it to a client as `transport`.

    It knows the handlers of `on`, and the three that are built in: `taskq.echo`, `taskq.sleep` and
    `taskq.flaky`. Tasks run by themselves when they are due. Time passes as usual, and more of it
    with `advance`; who waits for a task that will end soon skips the time until then.

    Args:
        clock: The time as it passes by itself, aware UTC.
    """

    def __init__(self, clock: Callable[[], datetime] = _utc_now) -> None:
        self._world = World(clock)
        self._lock = threading.Lock()
        self._failures: deque[httpx.Response | Exception] = deque()
        self.requests: list[str] = []
        """Method and path of each request, with its query."""

    def on(self, handler: str, *outcomes: Outcome) -> None:
        """Publish a handler, and say what its attempts do.

        Args:
            handler: Its name.
            *outcomes: What the first attempt of a task does, the second, and so on; the last one
                counts for all that follow. Each is a `Step`, an exception to fail with, a function
                that is called with the payload, or else the result. Default: None is the result.
        """
        self._world.scripts[handler] = scripted(outcomes)

    @property
    def submitted(self) -> list[Task]:
        """The tasks in the order they were submitted, as they were then; deleted ones too."""
        return [Task.model_validate(life.states[0]) for life in self._world.stored]

    @property
    def tasks(self) -> list[Task]:
        """The tasks in the order they were submitted, as they are now."""
        with self._lock:
            self._world.settle()
            return [Task.model_validate(life.fields) for life in self._world.lives.values()]

    @property
    def now(self) -> datetime:
        """The time at the fake server."""
        return self._world.now

    def advance(self, seconds: float) -> None:
        """Let time pass at once: delayed tasks run, back-offs end, long attempts finish."""
        with self._lock:
            self._world.advance(seconds)

    def fail_next(
        self, status: int = 503, *, times: int = 1, retry_after: float | None = None
    ) -> None:
        """Answer the next requests with an error, and do nothing else for them.

        Args:
            status: Its HTTP status.
            times: How many requests.
            retry_after: Seconds after which the server asks to try again.
        """
        headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        for _ in range(times):
            self._failures.append(Problem(status, "scripted").response(headers))

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
        return self._serve(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve a request of an async client."""
        await request.aread()
        return self._serve(request)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(f"{request.method} {request.url.raw_path.decode()}")
            if self._failures:
                failure = self._failures.popleft()
                if isinstance(failure, Exception):
                    raise failure
                return failure
            try:
                return _routes.answer(self._world, request)
            except Problem as problem:
                return problem.response()
