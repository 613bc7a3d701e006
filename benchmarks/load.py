"""An HTTP load generator on raw sockets, so that it is not what limits the server.

Each connection is kept alive and carries one request at a time, the next one as soon as the answer
to the last one is there.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import uvloop

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a number of requests; seconds."""

    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


def request(
    method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of one request."""
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def send(port: int, requests: list[bytes], *, connections: int) -> Load:
    """Send all requests over a number of connections.

    Raises:
        RuntimeError: An answer was no 2xx, or a connection broke.
    """
    return uvloop.run(_send(port, requests, connections))


async def _send(port: int, requests: list[bytes], connections: int) -> Load:
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    latencies: list[float] = []
    opened = []
    for _ in range(connections):
        opened.append(
            await loop.create_connection(lambda: _Connection(waiting, latencies), "127.0.0.1", port)
        )
    start = time.perf_counter()
    for _, connection in opened:
        connection.next()
    await asyncio.gather(*(connection.done for _, connection in opened))
    return Load(time.perf_counter() - start, latencies)


class _Connection(asyncio.Protocol):
    def __init__(self, waiting: Iterator[bytes], latencies: list[float]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._latencies = latencies
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def next(self) -> None:
        wanted = next(self._waiting, None)
        if wanted is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(wanted)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_END)
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(_LENGTH)
        line = head[at + len(_LENGTH) :].partition(b"\r\n")[0]
        if len(self._buffer) < end + len(_END) + int(line if at >= 0 else 0):
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        answer, self._buffer = self._buffer, b""
        if answer[9:10] != b"2":
            self.done.set_exception(RuntimeError(answer.decode(errors="replace")[:2_000]))
            self._transport.close()
            return
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"the server closed the connection: {exc}"))
