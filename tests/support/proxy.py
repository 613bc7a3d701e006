"""A TCP proxy on loopback that can go silent, as a network that drops packets does."""

import asyncio
import threading
from typing import Self

from tests.support.ports import free_port


class Proxy:
    """Forward connections to another port, as a context manager, from a thread of its own.

    Args:
        target: The port behind it.

    Attributes:
        port: Where it listens.
        accepted: How many connections it has taken.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.accepted = 0
        self._target = target
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._forwarding: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    def silence(self) -> None:
        """Forward nothing from now on; connections stay open, new ones get no answer."""
        self._loop.call_soon_threadsafe(self._silence)

    def flow(self) -> None:
        """Forward new connections again. Those that were silenced stay silent for ever."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop, self._flowing = asyncio.Event(), asyncio.Event()
        self._flowing.set()
        async with await asyncio.start_server(self._accept, "127.0.0.1", self.port):
            self._ready.set()
            await self._stop.wait()
            self._silence()
            for writer in self._writers:
                writer.transport.abort()

    def _silence(self) -> None:
        self._flowing.clear()
        for task in self._forwarding:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.append(writer)
        await self._flowing.wait()
        from_target, to_target = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.append(to_target)
        for source, sink in ((reader, to_target), (from_target, writer)):
            self._forwarding.append(asyncio.create_task(_forward(source, sink)))


async def _forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
        await sink.drain()
    sink.close()
