"""The two channels to a server, behind one protocol, so that only this module speaks to httpx.

The core is coroutines that await nothing but a channel. Over the blocking channel they never really
suspend, so `finish` runs one to its end with a single `send(None)`, and `iterate` does so for each
item of an async generator: no event loop, and no thread but for background work.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import httpx

from taskq_client._background import Pending, PendingOnThread
from taskq_client._callbacks import Callback, Checked, awaited_callback, blocking_callback
from taskq_client._connections import CLOSED, AsyncConnections, BlockingConnections
from taskq_client._deadlines import ends_at
from taskq_client._http_options import ClientUrl, HttpOptions, http_options
from taskq_client._settings import Settings
from taskq_client.errors import (
    ConfigurationError,
    InvalidRequest,
    TaskqConnectionError,
    TaskqTimeout,
    UnexpectedAnswer,
)

CONNECT_SECONDS = 3.0
# Some errors of the packages below httpx come through it.
FOREIGN = frozenset({"anyio", "h11", "h2", "httpcore", "httpx", "socksio", "ssl"})
WAIT_BUDGET = "taskq.wait_budget"
"""The request extension with the seconds for which a waiting caller repeats the request."""

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """A request to a path, with its query, below the url of the server.

    `timeout` is in seconds, and so is `budget`, the time for which the caller repeats the request.
    """

    method: str
    path: str
    timeout: float
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    budget: float = 0.0

    def __repr__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


@dataclass(frozen=True)
class Answer:
    """The answer to a request; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@runtime_checkable
class OwnTime(Protocol):
    """A transport with a clock of its own, which its clients use: the fake of `testing`."""

    def monotonic(self) -> float:
        """Return the time of a monotonic clock, in seconds."""

    def pass_time(self, seconds: float) -> None:
        """Move the clock on at once."""


class Channel(Protocol):
    """What the core needs of a server and of time."""

    async def send(self, request: Request) -> Answer:
        """Send once; raise TaskqConnectionError or TaskqTimeout unless a whole answer comes."""

    def stream(self, request: Request) -> AsyncGenerator[Answer, None]:
        """Send a request once and yield an event stream in pieces, the first without a body.

        Any other answer is yielded whole. The `timeout` of the request limits each piece.
        """

    async def sleep(self, seconds: float) -> None:
        """Sleep."""

    def begin(self, work: Coroutine[Any, Any, T]) -> Pending[T]:
        """Start a coroutine of the core in the background."""

    def callback(self, name: str, function: Callback[T] | None) -> Checked[T]:
        """Check a callback of the user's, before anything is sent."""


class BlockingChannel:
    """A channel whose coroutines block instead of suspending."""

    def __init__(self, settings: Settings, transport: object) -> None:
        if transport is not None and not isinstance(transport, httpx.BaseTransport):
            raise ConfigurationError("transport must be an httpx.BaseTransport for a TaskqClient")
        self.settings = settings
        self.clock, self._pass_time = _time_of(transport)
        self._options = http_options(settings, network=transport is None)
        self._connections = BlockingConnections(self._options, transport)

    async def send(self, request: Request) -> Answer:
        http = self._connections.get()
        try:
            with ends_at(time.monotonic() + request.timeout):
                response = http.send(_built(http, request))
                return _whole(response)
        except Exception as error:
            failure = _translated(error, http, request, self._options)
        raise failure

    async def stream(self, request: Request) -> AsyncGenerator[Answer, None]:
        http = self._connections.get()
        try:
            with ends_at(time.monotonic() + request.timeout):
                response = http.send(_built(http, request), stream=True)
            try:
                if _is_stream(response):
                    yield _whole(response, b"")
                    for piece in response.iter_bytes():
                        yield _whole(response, piece)
                else:
                    with ends_at(time.monotonic() + request.timeout):
                        response.read()
                    yield _whole(response)
            finally:
                response.close()
            return
        except Exception as error:
            failure = _translated(error, http, request, self._options)
        raise failure

    async def sleep(self, seconds: float) -> None:
        if self._pass_time is not None:
            self._pass_time(seconds)
        else:
            time.sleep(seconds)  # noqa: ASYNC251 - never on a loop: finish() drives it

    def begin(self, work: Coroutine[Any, Any, T]) -> Pending[T]:
        return PendingOnThread(lambda: finish(work))

    def callback(self, name: str, function: Callback[T] | None) -> Checked[T]:
        return blocking_callback(name, function)

    def close(self) -> None:
        self._connections.close()


class AsyncChannel:
    """A channel on asyncio."""

    def __init__(self, settings: Settings, transport: object) -> None:
        if transport is not None and not isinstance(transport, httpx.AsyncBaseTransport):
            raise ConfigurationError(
                "transport must be an httpx.AsyncBaseTransport for an AsyncTaskqClient"
            )
        self.settings = settings
        self.clock, self._pass_time = _time_of(transport)
        self._options = http_options(settings, network=transport is None)
        self._connections = AsyncConnections(self._options, transport)

    async def send(self, request: Request) -> Answer:
        http = await self._connections.get()
        try:
            async with asyncio.timeout(request.timeout):
                response = await http.send(_built(http, request))
            return _whole(response)
        except Exception as error:
            failure = _translated(error, http, request, self._options)
        raise failure

    async def stream(self, request: Request) -> AsyncGenerator[Answer, None]:
        http = await self._connections.get()
        try:
            async with asyncio.timeout(request.timeout):
                response = await http.send(_built(http, request), stream=True)
            try:
                if _is_stream(response):
                    yield _whole(response, b"")
                    async for piece in response.aiter_bytes():
                        yield _whole(response, piece)
                else:
                    async with asyncio.timeout(request.timeout):
                        await response.aread()
                    yield _whole(response)
            finally:
                await response.aclose()
            return
        except Exception as error:
            failure = _translated(error, http, request, self._options)
        raise failure

    async def sleep(self, seconds: float) -> None:
        if self._pass_time is not None:
            self._pass_time(seconds)
            seconds = 0
        await asyncio.sleep(seconds)

    def begin(self, work: Coroutine[Any, Any, T]) -> Pending[T]:
        return asyncio.create_task(work)

    def callback(self, name: str, function: Callback[T] | None) -> Checked[T]:
        return awaited_callback(name, function)

    async def aclose(self) -> None:
        await self._connections.aclose()


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("the coroutine awaited something else than a blocking channel")


def iterate(items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Iterate over an async generator that never suspends."""
    try:
        while True:
            try:
                item = finish(cast("Coroutine[object, None, T]", anext(items)))
            except StopAsyncIteration:
                return
            yield item
    finally:
        finish(cast("Coroutine[object, None, None]", items.aclose()))


def _time_of(transport: object) -> tuple[Callable[[], float], Callable[[float], None] | None]:
    """Return the clock of a transport, and the function that moves it on, if there is one."""
    if isinstance(transport, OwnTime):
        return transport.monotonic, transport.pass_time
    return time.monotonic, None


def _built(client: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
    built = client.build_request(
        request.method,
        request.path,
        content=request.body,
        headers=[(name.encode(), value.encode()) for name, value in request.headers.items()],
        timeout=httpx.Timeout(request.timeout, connect=min(request.timeout, CONNECT_SECONDS)),
        extensions={WAIT_BUDGET: request.budget},
    )
    built.url = ClientUrl(built.url)
    return built


def _whole(response: httpx.Response, body: bytes | None = None) -> Answer:
    content = response.content if body is None else body
    return Answer(response.status_code, dict(response.headers), content)


def _is_stream(response: httpx.Response) -> bool:
    return response.status_code == 200 and _whole(response, b"").media_type == "text/event-stream"


def _translated(
    error: Exception, http: httpx.Client | httpx.AsyncClient, request: Request, options: HttpOptions
) -> Exception:
    """Translate an error of the transport into an error of this package; any other error stays.

    The caller raises it after the `except` block, because the context of the original error shows
    headers and queries.
    """
    where, reason = options.name, str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in reason and options.trust:
        reason += f", with {options.trust}"
    match error:
        case httpx.TimeoutException() | TimeoutError():
            return TaskqTimeout(f"{where} did not answer {request} within {request.timeout:.3g} s")
        case httpx.ConnectError():
            return TaskqConnectionError(f"cannot connect to {where}: {reason}")
        case httpx.TransportError():
            return TaskqConnectionError(f"the connection to {where} broke: {reason}")
        case httpx.HTTPError():
            return UnexpectedAnswer(f"the answer of {where} cannot be read: {reason}")
        case httpx.InvalidURL():
            return InvalidRequest(f"{request} cannot be sent: {reason}")
        case RuntimeError() if http.is_closed:
            return ConfigurationError(CLOSED)
        case _ if type(error).__module__.partition(".")[0] in FOREIGN:
            return TaskqConnectionError(f"the connection to {where} broke: {reason}")
        case _:
            return error
