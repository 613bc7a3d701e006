"""The two ways to reach a server, behind one protocol: the only code that knows httpx.

The core is coroutines that await nothing but a channel. Over the blocking channel they never really
suspend, so `finish` runs one to its end with a single `send(None)`: no event loop, no thread.
"""

import asyncio
import os
import platform
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import httpx

from taskq_client._version import __version__
from taskq_client.errors import (
    ConfigurationError,
    TaskqConnectionError,
    TaskqTimeout,
    UnexpectedAnswer,
)

DEFAULT_URL = "http://127.0.0.1:8000"
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
    """What came back, read to its end; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Channel(Protocol):
    """All that the core asks of the world."""

    async def send(self, request: Request) -> Answer:
        """Send once; raise TaskqConnectionError or TaskqTimeout if no whole answer comes."""

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""


class BlockingChannel:
    """A channel whose coroutines block instead of suspending."""

    def __init__(self, url: str | None, transport: object) -> None:
        self._server = server_url(url)
        if transport is not None and not isinstance(transport, httpx.BaseTransport):
            raise ConfigurationError("transport must be an httpx.BaseTransport for a TaskqClient")
        with _configuration_errors():
            self._client = httpx.Client(
                base_url=self._server, headers=HEADERS, limits=LIMITS, transport=transport
            )

    async def send(self, request: Request) -> Answer:
        with _translated_errors(self._server, request):
            return _answer(self._client.send(_built(self._client, request)))

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - never on a loop: finish() drives it

    def close(self) -> None:
        self._client.close()


class AsyncChannel:
    """A channel on asyncio."""

    def __init__(self, url: str | None, transport: object) -> None:
        self._server = server_url(url)
        if transport is not None and not isinstance(transport, httpx.AsyncBaseTransport):
            raise ConfigurationError(
                "transport must be an httpx.AsyncBaseTransport for an AsyncTaskqClient"
            )
        with _configuration_errors():
            self._client = httpx.AsyncClient(
                base_url=self._server, headers=HEADERS, limits=LIMITS, transport=transport
            )

    async def send(self, request: Request) -> Answer:
        with _translated_errors(self._server, request):
            return _answer(await self._client.send(_built(self._client, request)))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def aclose(self) -> None:
        await self._client.aclose()


def finish(coroutine: Coroutine[object, None, T]) -> T:
    """Run a coroutine that never suspends and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("the coroutine awaited something else than a blocking channel")


def server_url(url: str | None) -> str:
    """Choose the server's url: the argument, else TASKQ_URL, else the local default."""
    chosen = (url or os.environ.get("TASKQ_URL") or DEFAULT_URL).strip().rstrip("/")
    try:
        parts = urlsplit(chosen)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or " " in chosen:
        raise ConfigurationError(f"{chosen!r} is not the url of a server such as {DEFAULT_URL}")
    return chosen


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


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)


@contextmanager
def _configuration_errors() -> Iterator[None]:
    # httpx reads the proxy and certificate variables here; each can be wrong in its own way.
    try:
        yield
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise ConfigurationError(f"the connection cannot be set up: {error}") from None


@contextmanager
def _translated_errors(server: str, request: Request) -> Iterator[None]:
    scheme, _, rest = server.partition("//")
    where = f"{scheme}//{rest.rpartition('@')[2]}"
    try:
        yield
    except httpx.TimeoutException:
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
