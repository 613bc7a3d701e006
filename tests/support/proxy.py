"""A TCP proxy on loopback that can go silent, as a network that drops packets does."""

import asyncio
import threading
from collections.abc import Callable
from typing import NamedTuple, Self

from tests.support.ports import free_port


class Side(NamedTuple):
    """One of the two connections of a session: the client's or the server's."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Proxy:
    """Forward connections to another port, as a context manager, from a thread of its own.

    What is asked of it holds when the call returns. It may be asked from any thread.

    Args:
        target: The port behind it.

    Attributes:
        port: Where it listens.
        accepted: How many connections it has taken.
        delay: Seconds that whatever passes takes, in each direction.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.accepted = 0
        self.delay = 0.0
        self._target = target
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._forwarding: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def through(self, url: str) -> str:
        """The URL of the server behind it, by way of this proxy."""
        return url.replace(f":{self._target}/", f":{self.port}/")

    def silence(self) -> None:
        """Forward nothing from now on; connections stay open, new ones get no answer."""
        self._do(self._silence)

    def flow(self) -> None:
        """Forward new connections again. Those that were silenced stay silent for ever."""
        self._do(self._flowing.set)

    def drop(self) -> None:
        """End all sessions, as a proxy does with those of a server that it gives up."""
        self._do(self._abort)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(180)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _talk(self, client: Side, server: Side) -> None:
        """Carry one session to its end; a proxy that knows the protocol does it in its own way."""
        await asyncio.gather(
            self._forward(client.reader, server.writer),
            self._forward(server.reader, client.writer),
        )

    def _do(self, change: Callable[[], None]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(change)
        self._loop.call_soon_threadsafe(done.set)
        done.wait(180)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop, self._flowing = asyncio.Event(), asyncio.Event()
        self._flowing.set()
        async with await asyncio.start_server(self._accept, "127.0.0.1", self.port):
            self._ready.set()
            await self._stop.wait()
            self._silence()
            self._abort()

    def _silence(self) -> None:
        self._flowing.clear()
        for task in self._forwarding:
            task.cancel()

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.append(writer)
        await self._flowing.wait()
        try:
            server = Side(*await asyncio.open_connection("127.0.0.1", self._target))
        except OSError:
            writer.transport.abort()
            return
        self._writers.append(server.writer)
        talk = asyncio.create_task(self._carry(Side(reader, writer), server))
        self._forwarding.add(talk)
        talk.add_done_callback(self._forwarding.discard)

    async def _carry(self, client: Side, server: Side) -> None:
        try:
            await self._talk(client, server)
        except (OSError, EOFError):
            client.writer.transport.abort()
            server.writer.transport.abort()

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            await asyncio.sleep(self.delay)
            sink.write(data)
            await sink.drain()
        sink.close()
