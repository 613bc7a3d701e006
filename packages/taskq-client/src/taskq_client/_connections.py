"""The connections of a client: each process and each event loop has its own."""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import NamedTuple

import httpx

from taskq_client._deadlines import limit
from taskq_client._http_options import HttpOptions
from taskq_client.errors import ConfigurationError

CLOSED = "this client has been closed; make a new one"


class BlockingConnections:
    """The connections of a client that blocks; a forked child makes its own."""

    def __init__(self, options: HttpOptions, transport: httpx.BaseTransport | None) -> None:
        self._options = options
        self._transport = transport
        self._clients = {os.getpid(): self._made()}
        self._closed = False

    def get(self) -> httpx.Client:
        """Return the connections of this process."""
        if self._closed:
            raise ConfigurationError(CLOSED)
        process = os.getpid()
        client = self._clients.get(process)
        if client is None:
            if self._transport is not None:
                self._transport.close()  # its connections belong to the parent
            client = self._clients.setdefault(process, self._made())
        return client

    def close(self) -> None:
        """Close the connections of this process."""
        self._closed = True
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _made(self) -> httpx.Client:
        return limit(httpx.Client(**self._options.arguments, transport=self._transport))


class _OfLoop(NamedTuple):
    client: httpx.AsyncClient
    closing: AsyncGenerator[None, None]


class AsyncConnections:
    """The connections of a client that is awaited; they belong to an event loop, and end with it.

    A loop that ends closes the generators that were started on it. One such generator closes the
    connections, because they cannot be closed after the end of the loop.
    """

    def __init__(self, options: HttpOptions, transport: httpx.AsyncBaseTransport | None) -> None:
        self._options = options
        self._transport = transport
        self._by_loop: dict[tuple[int, asyncio.AbstractEventLoop], _OfLoop] = {}
        self._closed = False

    async def get(self) -> httpx.AsyncClient:
        """Return the connections of this process and the running loop."""
        if self._closed:
            raise ConfigurationError(CLOSED)
        here = _here()
        found = self._by_loop.get(here)
        if found is None or found.client.is_closed:
            self._forget_the_ended()
            client = httpx.AsyncClient(**self._options.arguments, transport=self._transport)
            found = self._by_loop[here] = _OfLoop(client, _closing(client))
            await anext(found.closing)
        return found.client

    async def aclose(self) -> None:
        """Close the connections of this process."""
        self._closed = True
        here = _here()
        found = self._by_loop.pop(here, None)
        for process, loop in list(self._by_loop):
            if process == here[0]:
                del self._by_loop[process, loop]  # a loop closes a generator that has no references
        if found is not None:
            await found.closing.aclose()

    def _forget_the_ended(self) -> None:
        shared = isinstance(self._transport, httpx.AsyncHTTPTransport)
        for here, found in list(self._by_loop.items()):
            if found.client.is_closed or (here[1].is_closed() and not shared):
                self._by_loop.pop(here, None)
        if shared and self._by_loop:
            raise ConfigurationError(
                "the transport of this client has connections of another event loop;"
                " make a client with a transport of its own for each loop",
                "transport",
            )


async def _closing(client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await client.aclose()


def _here() -> tuple[int, asyncio.AbstractEventLoop]:
    try:
        return os.getpid(), asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError("an AsyncTaskqClient needs a running loop of asyncio") from None
