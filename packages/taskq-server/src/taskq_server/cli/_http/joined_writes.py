"""The transport of answers, whose head leaves together with the body."""

import asyncio


class JoinedWrites:
    """Write what is written in one turn of the event loop at once.

    Uvicorn writes the head of an answer and its body apart. Each of them would be a system call of
    its own here, a packet, and a system call for the caller.

    Args:
        transport: of the connection.
        loop: the event loop that it belongs to.
    """

    __slots__ = ("_first", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._first: bytes | None = None

    def write(self, data: bytes) -> None:
        """Write with what comes next; what nothing follows is written at the end of the turn."""
        if self._first is None:
            self._first = data
            self._loop.call_soon(self._flush)
        else:
            first, self._first = self._first, None
            self._transport.write(first + data)

    def close(self) -> None:
        """Close once everything is written."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is closed, or soon will be."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        first, self._first = self._first, None
        if first is not None and not self._transport.is_closing():
            self._transport.write(first)
