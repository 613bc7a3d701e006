"""The two ways to reach a server, behind one protocol: the only code that knows httpx.

The core is coroutines that await nothing but a channel. Over the blocking channel they never really
suspend, so `finish` runs one to its end with a single `send(None)`, and `iterate` does so for each
item of an async generator: no event loop, and no thread but for what is begun beside the caller.
"""

import asyncio
import os
import platform
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar, cast

import httpx

from taskq_client._beside import Begun, OnThread
from taskq_client._deadlines import ends_at, limit
from taskq_client._settings import Settings
from taskq_client._version import __version__
from taskq_client.errors import (
    ConfigurationError,
    TaskqConnectionError,
    TaskqTimeout,
    UnexpectedAnswer,
)

CONNECT_SECONDS = 3.0
HEADERS = {
    "Accept": "application/json",
    "User-Agent": f"taskq-client/{__version__} python/{platform.python_version()}",
}
# A waiting request holds its connection for long; in a bounded pool waits would starve submits.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What to send: a path with its query, below the server's url; `timeout` is in seconds."""

    method: str
    path: str
    timeout: float
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """What came back; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Channel(Protocol):
    """All that the core asks of the world."""

    async def send(self, request: Request) -> Answer:
        """Send once; raise TaskqConnectionError or TaskqTimeout if no whole answer comes."""

    def stream(self, request: Request) -> AsyncGenerator[Answer, None]:
        """Send once and yield an event stream piece by piece, the first one without a body.

        Any other answer is yielded whole. Here the request's `timeout` counts for each piece.
        """

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""

    def begin(self, work: Coroutine[Any, Any, T]) -> Begun[T]:
        """Start work of the core that goes on beside its caller."""


class BlockingChannel:
    """A channel whose coroutines block instead of suspending."""

    def __init__(self, settings: Settings, transport: object) -> None:
        if transport is not None and not isinstance(transport, httpx.BaseTransport):
            raise ConfigurationError("transport must be an httpx.BaseTransport for a TaskqClient")
        self.settings = settings
        self._http = _PerProcess(
            lambda: limit(httpx.Client(**_arguments(settings), transport=transport))
        )

    async def send(self, request: Request) -> Answer:
        http = self._http.get()
        with (
            _translated_errors(self.settings, request),
            ends_at(time.monotonic() + request.timeout),
        ):
            response = http.send(_built(http, request))
            return Answer(response.status_code, dict(response.headers), response.content)

    async def stream(self, request: Request) -> AsyncGenerator[Answer, None]:
        http = self._http.get()
        with _translated_errors(self.settings, request):
            response = http.send(_built(http, request), stream=True)
            try:
                head = Answer(response.status_code, dict(response.headers), b"")
                if not _is_stream(head):
                    yield replace(head, body=response.read())
                    return
                yield head
                for piece in response.iter_bytes():
                    yield replace(head, body=piece)
            finally:
                response.close()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - never on a loop: finish() drives it

    def begin(self, work: Coroutine[Any, Any, T]) -> Begun[T]:
        return OnThread(lambda: finish(work))

    def close(self) -> None:
        self._http.get().close()


class AsyncChannel:
    """A channel on asyncio."""

    def __init__(self, settings: Settings, transport: object) -> None:
        if transport is not None and not isinstance(transport, httpx.AsyncBaseTransport):
            raise ConfigurationError(
                "transport must be an httpx.AsyncBaseTransport for an AsyncTaskqClient"
            )
        self.settings = settings
        self._http = _PerProcess(
            lambda: httpx.AsyncClient(**_arguments(settings), transport=transport)
        )

    async def send(self, request: Request) -> Answer:
        http = self._http.get()
        with _translated_errors(self.settings, request):
            async with asyncio.timeout(request.timeout):
                response = await http.send(_built(http, request))
            return Answer(response.status_code, dict(response.headers), response.content)

    async def stream(self, request: Request) -> AsyncGenerator[Answer, None]:
        http = self._http.get()
        with _translated_errors(self.settings, request):
            response = await http.send(_built(http, request), stream=True)
            try:
                head = Answer(response.status_code, dict(response.headers), b"")
                if not _is_stream(head):
                    yield replace(head, body=await response.aread())
                    return
                yield head
                async for piece in response.aiter_bytes():
                    yield replace(head, body=piece)
            finally:
                await response.aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def begin(self, work: Coroutine[Any, Any, T]) -> Begun[T]:
        return asyncio.create_task(work)

    async def aclose(self) -> None:
        await self._http.get().aclose()


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


class _PerProcess(Generic[T]):
    """An HTTP client that a forked child replaces: two processes must not share a connection."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._client = _configured(make)
        self._process = os.getpid()

    def get(self) -> T:
        if self._process != os.getpid():
            self._client = _configured(self._make)
            self._process = os.getpid()
        return self._client


def _arguments(settings: Settings) -> dict[str, Any]:
    headers = dict(HEADERS)
    if key := settings.api_key.reveal():
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": settings.url, "headers": headers, "limits": LIMITS}


def _configured(make: Callable[[], T]) -> T:
    # httpx reads the proxy and certificate variables here; each can be wrong in its own way.
    try:
        return make()
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise ConfigurationError(f"the connection cannot be set up: {error}") from None


def _built(client: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
    if client.is_closed:
        raise ConfigurationError("this client has been closed; make a new one")
    return client.build_request(
        request.method,
        request.path,
        content=request.body,
        headers=request.headers,
        timeout=httpx.Timeout(request.timeout, connect=min(request.timeout, CONNECT_SECONDS)),
    )


def _is_stream(head: Answer) -> bool:
    return head.status == 200 and head.media_type == "text/event-stream"


@contextmanager
def _translated_errors(settings: Settings, request: Request) -> Iterator[None]:
    where = settings.shown_url
    try:
        yield
    except (httpx.TimeoutException, TimeoutError):
        what = f"{request.method} {request.path.partition('?')[0]}"
        raise TaskqTimeout(
            f"{where} did not answer {what} within {request.timeout:.3g} s"
        ) from None
    except httpx.ConnectError as error:
        raise TaskqConnectionError(f"cannot connect to {where}: {_reason(error)}") from None
    except httpx.TransportError as error:
        raise TaskqConnectionError(f"the connection to {where} broke: {_reason(error)}") from None
    except httpx.HTTPError as error:
        raise UnexpectedAnswer(f"the answer of {where} cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
