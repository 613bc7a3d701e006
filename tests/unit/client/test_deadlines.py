"""The time limit of a request counts for all of it, whatever carries it."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskq_client import AsyncTaskqClient, TaskqClient, TaskqTimeout
from taskq_client._deadlines import _Backend, limit
from tests.unit.client.servers import HEAD, Behave, certificate, drips, listening

LIMIT, TOO_LONG = 0.5, 2.5
KINDS = [TaskqClient, AsyncTaskqClient]
DRIPS: dict[str, Behave] = {
    "head": drips(HEAD * 2),
    "body": lambda it: (it.sendall(HEAD + b"content-length: 99\r\n\r\n"), drips(b" " * 99)(it))[1],
}


def tags(client: Any) -> Any:
    return client.tags()


def seconds_until_it_gave_up(
    kind: type, call: Callable[[Any], Any] = tags, timeout: float = LIMIT, **options: Any
) -> float:
    async def awaited() -> None:
        async with AsyncTaskqClient(timeout=timeout, max_retries=0, **options) as client:
            await call(client)

    def blocking() -> None:
        with TaskqClient(timeout=timeout, max_retries=0, **options) as client:
            call(client)

    begin = time.monotonic()
    with pytest.raises(TaskqTimeout):
        asyncio.run(awaited()) if kind is AsyncTaskqClient else blocking()
    return time.monotonic() - begin


def test_httpx_still_has_what_the_limit_of_a_blocking_request_hangs_on() -> None:
    for transport in (
        httpx.HTTPTransport(),
        httpx.HTTPTransport(uds="/nowhere"),
        httpx.HTTPTransport(proxy="http://127.0.0.1:9"),
    ):
        with limit(httpx.Client(transport=transport)), limit(httpx.Client(transport=transport)):
            backend: Any = transport._pool._network_backend
            assert isinstance(backend, _Backend), "a new httpx: see taskq_client._deadlines"
            assert not isinstance(backend._inner, _Backend)
            assert callable(backend._inner.connect_tcp)
            assert callable(backend._inner.connect_unix_socket)
    with limit(httpx.Client(proxy="http://127.0.0.1:9")) as client:
        (mounted,) = client._mounts.values()
        assert isinstance(mounted._pool._network_backend, _Backend)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behave", DRIPS.values(), ids=DRIPS)
def test_over_a_unix_socket(kind: type, behave: Behave, tmp_path: Path) -> None:
    path = tmp_path / "s"
    transport: Any = httpx.HTTPTransport(uds=str(path))
    if kind is AsyncTaskqClient:
        transport = httpx.AsyncHTTPTransport(uds=str(path))
    with listening(behave, path=path):
        assert seconds_until_it_gave_up(kind, transport=transport) < TOO_LONG


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behave", DRIPS.values(), ids=DRIPS)
def test_over_tls(
    kind: type, behave: Behave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with listening(behave, tls=serving) as place:
        assert seconds_until_it_gave_up(kind, url=f"https://{place}") < TOO_LONG


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behave", DRIPS.values(), ids=DRIPS)
def test_through_a_proxy(kind: type, behave: Behave, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(behave) as place:
        monkeypatch.setenv("HTTP_PROXY", f"http://{place}")
        assert seconds_until_it_gave_up(kind, url="http://tasks.example") < TOO_LONG


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_tunnel_leaves_less_time_for_the_handshake(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        time.sleep(1.2)
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        while connection.recv(65_536):
            pass

    with listening(behave) as place:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{place}")
        took = seconds_until_it_gave_up(kind, timeout=1.5, url="https://tasks.example")
    assert took < 2.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_reads_slowly_is_too_slow(kind: type) -> None:
    def behave(connection: socket.socket) -> None:
        while connection.recv(1_048_576):
            time.sleep(0.2)

    payload = {"value": "x" * 16_000_000}
    with listening(behave) as place:
        took = seconds_until_it_gave_up(
            kind, lambda client: client.submit("h", payload), url=f"http://{place}"
        )
    assert took < TOO_LONG
