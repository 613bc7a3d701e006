"""The connections of a client: each process, and each event loop, has its own."""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import NamedTuple

import httpx

from taskq_client._deadlines import limit
from taskq_client._way import Way
from taskq_client.errors import ConfigurationError

CLOSED = "this client has been closed; make a new one"


class Blocking:
    """The connections of a client that blocks; a forked child makes its own."""

    def __init__(self, way: Way, transport: httpx.BaseTransport | None) -> None:
        self._way = way
        self._transport = transport
        self._clients = {os.getpid(): self._made()}
        self._closed = False

    def get(self) -> httpx.Client:
        """Return those of this process."""
        if self._closed:
            raise ConfigurationError(CLOSED)
        process = os.getpid()
        client = self._clients.get(process)
        if client is None:
            if self._transport is not None:
                self._transport.close()  # what the parent has connected is the parent's
            client = self._clients.setdefault(process, self._made())
        return client

    def close(self) -> None:
        """Close those of this process."""
        self._closed = True
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _made(self) -> httpx.Client:
        return limit(httpx.Client(**self._way.options, transport=self._transport))


class _Life(NamedTuple):
    client: httpx.AsyncClient
    end: AsyncGenerator[None, None]


class PerLoop:
    """The connections of a client that is awaited: they belong to an event loop, and end with it.

    Before a loop ends it closes the generators that were started on it. Here one of them closes the
    connections, because nobody could do so afterwards.
    """

    def __init__(self, way: Way, transport: httpx.AsyncBaseTransport | None) -> None:
        self._way = way
        self._transport = transport
        self._lives: dict[tuple[int, asyncio.AbstractEventLoop], _Life] = {}
        self._closed = False

    async def get(self) -> httpx.AsyncClient:
        """Return those of this process and the running loop."""
        if self._closed:
            raise ConfigurationError(CLOSED)
        here = _here()
        life = self._lives.get(here)
        if life is None or life.client.is_closed:
            self._forget_the_ended()
            client = httpx.AsyncClient(**self._way.options, transport=self._transport)
            life = self._lives[here] = _Life(client, _closing(client))
            await anext(life.end)
        return life.client

    async def aclose(self) -> None:
        """Close those of this process."""
        self._closed = True
        here = _here()
        life = self._lives.pop(here, None)
        for process, loop in list(self._lives):
            if process == here[0]:
                del self._lives[process, loop]  # a loop closes a generator that is let go
        if life is not None:
            await life.end.aclose()

    def _forget_the_ended(self) -> None:
        shared = isinstance(self._transport, httpx.AsyncHTTPTransport)
        for here, life in list(self._lives.items()):
            if life.client.is_closed or (here[1].is_closed() and not shared):
                self._lives.pop(here, None)
        if shared and self._lives:
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
