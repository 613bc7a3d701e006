"""How a client is set up: variables, keys that nobody sees, copies, threads and forks."""

import asyncio
import logging
import multiprocessing
import socket
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import respx

from taskq_client import AsyncTaskqClient, ConfigurationError, TaskqClient, TaskqError

URL = "http://127.0.0.1:8000"
KEY = "sk-very-secret"
BODY = b'{"items":[]}'
TAGS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n" + BODY


def recording(seen: list[httpx.Request]) -> httpx.MockTransport:
    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"items": []})

    return httpx.MockTransport(respond)


@pytest.mark.parametrize(
    ("argument", "variable", "sent"),
    [(None, None, None), (None, KEY, f"Bearer {KEY}"), ("other", KEY, "Bearer other")],
)
def test_the_key_is_the_argument_else_the_variable(
    argument: str | None, variable: str | None, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("TASKQ_API_KEY", variable)
    seen: list[httpx.Request] = []
    TaskqClient(api_key=argument, transport=recording(seen)).tags()
    asyncio.run(AsyncTaskqClient(api_key=argument, transport=recording(seen)).tags())

    assert [request.headers.get("authorization") for request in seen] == [sent, sent]


def test_nobody_sees_the_key(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"cannot read {request!r}")

    caplog.set_level(logging.DEBUG)
    client = TaskqClient(api_key=KEY, max_retries=0, transport=httpx.MockTransport(refuse))
    awaited = AsyncTaskqClient(api_key=KEY, transport=httpx.MockTransport(refuse))
    texts = [repr(client), repr(awaited), str(vars(client._channel)), repr(client._core)]
    for fails in (
        client.tags,
        lambda: TaskqClient(api_key=KEY, url="nowhere"),
        lambda: AsyncTaskqClient(api_key=KEY, timeout=0),
        lambda: TaskqClient(api_key=KEY, transport=5),
        lambda: TaskqClient(api_key=f"{KEY}\u2028x"),
    ):
        with pytest.raises(TaskqError) as caught:
            fails()
        error = caught.value
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        texts += ["".join(shown.format()), repr(error)]
    texts.append(caplog.text)

    assert len(texts) == 15
    assert any("api_key = " in text or "secret = Secret(…)" in text for text in texts)
    assert not [text for text in texts if KEY in text]


def test_the_timeout_is_the_argument_else_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx.Request] = []
    monkeypatch.setenv("TASKQ_TIMEOUT", "4.5")
    TaskqClient(transport=recording(seen)).tags()
    TaskqClient(timeout=3, transport=recording(seen)).tags()
    assert [request.extensions["timeout"]["read"] for request in seen] == [4.5, 3]
    monkeypatch.setenv("TASKQ_TIMEOUT", "soon")
    for client in (TaskqClient, AsyncTaskqClient):
        with pytest.raises(ConfigurationError, match=r"^TASKQ_TIMEOUT must .* not 'soon'"):
            client()


def test_a_copy_has_other_options_and_the_same_connections(slept: list[float]) -> None:
    seen: list[httpx.Request] = []
    for kind in (TaskqClient, AsyncTaskqClient):
        client: Any = kind(transport=recording(seen))
        other = client.with_options(timeout=2, max_retries=7)
        shown = "'http://127.0.0.1:8000', timeout={}, max_retries={}, deadline=120"
        assert repr(client) == f"{kind.__name__}({shown.format(10, 2)})"
        assert repr(other) == f"{kind.__name__}({shown.format(2, 7)})"
        assert type(other) is kind
        assert other._channel is client._channel
        with pytest.raises(ConfigurationError, match="max_retries"):
            client.with_options(max_retries=-1)
        with pytest.raises(ConfigurationError, match="deadline"):
            client.with_options(deadline=0)


def test_a_client_takes_no_other_attributes() -> None:
    for client in (TaskqClient(), AsyncTaskqClient()):
        with pytest.raises(AttributeError):
            client.timeout = 3  # type: ignore[union-attr]


def test_a_call_ends_at_its_deadline(slept: list[float]) -> None:
    for kind in (TaskqClient, AsyncTaskqClient):
        client: Any = kind(max_retries=99, deadline=10)
        with respx.mock(base_url=URL) as router:
            route = router.get("/tags").respond(429, headers={"Retry-After": "11"})
            with pytest.raises(TaskqError, match="429"):
                asyncio.run(client.tags()) if kind is AsyncTaskqClient else client.tags()
            assert route.call_count == 1
    assert slept == []


@contextmanager
def counting() -> Iterator[tuple[str, list[int]]]:
    """A server that keeps connections open, and counts the requests of each."""
    listener = socket.create_server(("127.0.0.1", 0))
    counts: list[int] = []

    def keep(connection: socket.socket, number: int) -> None:
        with connection:
            while connection.recv(65_536):
                counts[number] += 1
                connection.sendall(TAGS)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            counts.append(0)
            threading.Thread(target=keep, args=(connection, len(counts) - 1)).start()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", counts
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


# The server is a thread here, and Python warns of a fork beside threads; this one only asks.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_gets_connections_of_its_own() -> None:
    with counting() as (url, counts), TaskqClient(url) as client:
        client.tags()
        child = multiprocessing.get_context("fork").Process(target=client.tags)
        child.start()
        child.join(20)
        client.tags()

        assert child.exitcode == 0
        assert counts == [2, 1]


def test_threads_share_a_client() -> None:
    with counting() as (url, counts), TaskqClient(url) as client, ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: client.tags(), range(200)))

    assert results == [[]] * 200
    assert sum(counts) == 200
