"""HTTP by hand: requests that no client library would send."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_SECONDS = 20


@dataclass(frozen=True)
class RawAnswer:
    """One answer, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of the problem, or nothing."""
        found: str = self.problem.get("code", "")
        return found

    @property
    def problem(self) -> dict[str, Any]:
        """The problem that the answer is, or nothing."""
        if self.headers.get("content-type") != "application/problem+json":
            return {}
        found: dict[str, Any] = json.loads(self.body)
        return found


@contextmanager
def connection(port: int, seconds: float = _SECONDS) -> Iterator[socket.socket]:
    """A connection to a server on this machine; no operation takes longer than `seconds`."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as opened:
        yield opened


def ask(port: int, sent: bytes) -> RawAnswer:
    """Send these bytes on a connection of their own, and return the first answer."""
    with connection(port) as opened:
        opened.sendall(sent)
        return read(opened)


def read(opened: socket.socket) -> RawAnswer:
    """Read one answer and no byte of the next one; the connection stays open.

    Raises:
        EOFError: the server closed it before.
    """
    with opened.makefile("rb", buffering=0) as file:
        line = file.readline()
        if not line:
            raise EOFError("the server closed the connection without an answer")
        headers: dict[str, str] = {}
        while (field := file.readline().strip()) != b"":
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body, length = b"", int(headers.get("content-length", 0))
        while part := file.read(length - len(body)):
            body += part
    return RawAnswer(int(line.split()[1]), headers, body)


def is_closed(opened: socket.socket) -> bool:
    """Read to the end of the connection; False if it is still open when the time is up."""
    try:
        while opened.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True
