"""Servers that break off, drip, storm and lie: nothing but errors of this package, and in time."""

import asyncio
import pickle
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from taskq_client import (
    AsyncTaskqClient,
    NotFound,
    RateLimited,
    TaskqClient,
    TaskqConnectionError,
    TaskqError,
    TaskqTimeout,
    Unavailable,
    UnexpectedAnswer,
)
from tests.unit.client.support import events, wire_task

Behave = Callable[[socket.socket], None]

JSON = b"content-type: application/json\r\n"
PROBLEM = b"content-type: application/problem+json\r\n"
HTML = b"content-type: text/html\r\n"


@contextmanager
def hostile(behave: Behave) -> Iterator[str]:
    """A server that reads one request a connection, and then does what it likes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    connection.recv(65_536)
                    behave(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def says(status: bytes, headers: bytes, body: bytes, length: int | None = None) -> Behave:
    size = len(body) if length is None else length
    head = b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\nconnection: close\r\n\r\n"
    return lambda connection: connection.sendall(head % (status, headers, size) + body)


def raw(data: bytes) -> Behave:
    return lambda connection: connection.sendall(data)


def resets(after: bytes) -> Behave:
    def behave(connection: socket.socket) -> None:
        connection.sendall(after)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def drips(data: bytes) -> Behave:
    """Send a byte every 50 ms, far more slowly than any client should wait."""

    def behave(connection: socket.socket) -> None:
        for start in range(len(data)):
            connection.sendall(data[start : start + 1])
            time.sleep(0.05)

    return behave


def ended(url: str, kind: type, call: Callable[[Any], Any], **options: Any) -> TaskqError:
    """The error that a call ends with."""

    async def awaited() -> None:
        async with AsyncTaskqClient(url, **options) as client:
            await call(client)

    def blocking() -> None:
        with TaskqClient(url, **options) as client:
            call(client)

    with pytest.raises(TaskqError) as caught:
        asyncio.run(awaited()) if kind is AsyncTaskqClient else blocking()
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (type(copied), str(copied)) == (type(caught.value), str(caught.value))
    return caught.value


def get(client: Any) -> Any:
    return client.get("0198c0de")


HEAD = b"HTTP/1.1 200 OK\r\n" + JSON


@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (resets(b""), TaskqConnectionError),
        (resets(HEAD), TaskqConnectionError),
        (resets(HEAD + b"content-length: 99\r\n\r\n{"), TaskqConnectionError),
        (raw(b""), TaskqConnectionError),
        (raw(b"SSH-2.0-OpenSSH\r\n"), TaskqConnectionError),
        (raw(b"\x00" * 200_000), TaskqConnectionError),
        (says(b"200 OK", JSON, b'{"id": "x"', length=400), TaskqConnectionError),
        (raw(HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{"), TaskqConnectionError),
        (says(b"200 OK", JSON, b'{"id": "x"'), UnexpectedAnswer),
        (says(b"200 OK", JSON, b""), UnexpectedAnswer),
        (says(b"200 OK", JSON, b"[" * 100_000), UnexpectedAnswer),
        (says(b"200 OK", JSON, b"\xff\xfe"), UnexpectedAnswer),
        (says(b"200 OK", JSON, b"null"), UnexpectedAnswer),
        (says(b"200 OK", JSON + b"content-encoding: gzip\r\n", b"no gzip"), UnexpectedAnswer),
        (says(b"200 OK", HTML, b"<html>Sign in</html>"), UnexpectedAnswer),
        (says(b"200 OK", b"", b"{}"), UnexpectedAnswer),
        (says(b"302 Found", b"location: /login\r\n", b""), UnexpectedAnswer),
        (says(b"404 Not Found", HTML, b"<html>nginx</html>"), UnexpectedAnswer),
        (says(b"404 Not Found", PROBLEM, b'{"code": "task-not-found"}'), NotFound),
        (says(b"502 Bad Gateway", HTML, b"<html>nginx</html>"), Unavailable),
        (says(b"503 Away", PROBLEM, b'{"code": 5, "errors": {"x": 1}}'), Unavailable),
        (says(b"429 Slow Down", b"retry-after: 7\r\n", b""), RateLimited),
        (says(b"599 What", b"retry-after: never\r\n", b"?"), TaskqError),
    ],
)
def test_whatever_comes_back_is_an_error_of_this_package(
    kind: type, behave: Behave, error: type[TaskqError]
) -> None:
    with hostile(behave) as url:
        assert isinstance(ended(url, kind, get, max_retries=0, timeout=5), error)


@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
@pytest.mark.parametrize(
    "behave",
    [
        drips(HEAD * 9),
        drips(HEAD + b"content-length: 999\r\n\r\n" + b" " * 99),
        lambda connection: (connection.sendall(HEAD), time.sleep(1)),
        lambda connection: time.sleep(1),
    ],
    ids=["head", "body", "stalls", "silent"],
)
def test_an_answer_that_does_not_come_in_time_is_a_timeout(kind: type, behave: Behave) -> None:
    with hostile(behave) as url:
        begin = time.monotonic()
        error = ended(url, kind, get, max_retries=0, timeout=0.3)
        took = time.monotonic() - begin
    assert isinstance(error, TaskqTimeout)
    assert took < 3


@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
def test_a_storm_of_429_ends_at_the_deadline(kind: type, slept: list[float]) -> None:
    storm = says(b"429 Slow Down", b"retry-after: 50\r\n", b"")
    with hostile(storm) as url:
        error = ended(url, kind, get, max_retries=2)
        assert isinstance(error, RateLimited)
        assert ended(url, kind, get, max_retries=1, deadline=9).args == error.args
    assert slept == [50, 50]


@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
def test_a_stream_that_is_cut_everywhere_goes_on(kind: type, slept: list[float]) -> None:
    states = [
        wire_task(version=version, status="running", progress={"current": version})
        for version in range(1, 6)
    ]
    states.append(wire_task(version=6, status="succeeded"))
    left = [events(state).body for state in states]

    def behave(connection: socket.socket) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
        connection.sendall(head + left.pop(0) + b"id: 99\ndata: {")

    async def awaited(url: str) -> list[Any]:
        async with AsyncTaskqClient(url) as client:
            return [task async for task in client.stream("0198c0de", timeout=20)]

    with hostile(behave) as url:
        if kind is AsyncTaskqClient:
            seen = asyncio.run(awaited(url))
        else:
            with TaskqClient(url) as client:
                seen = list(client.stream("0198c0de", timeout=20))
    assert [task.version for task in seen] == [1, 2, 3, 4, 5, 6]
