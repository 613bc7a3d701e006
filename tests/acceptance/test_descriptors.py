"""More connections than descriptors: who sends nothing gives way to who does."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.children import Child
from tests.support.ports import free_port
from tests.support.processes import environment
from tests.support.raw_http import ask, connection, read
from tests.support.waiting import wait_until

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET /livez HTTP/1.1\r\nX: "
FULL = "connections are open"
CALM = "descriptors for more connections again"


class Limited(Child):
    """A `dev` server that may open so many files."""

    def __init__(self, descriptors: str, folder: Path) -> None:
        self.port = free_port()
        command = f'ulimit {descriptors} && exec "$@"'
        server = [sys.executable, "-m", "taskq_server", "dev", "--port", str(self.port)]
        super().__init__(
            ["sh", "-c", command, "sh", *server],
            folder / "server.log",
            env=environment({}),
            cwd=folder,
        )

    def wait_ready(self) -> None:
        wait_until(self._ready, 180, "ready", 0.05, self.output)

    def _ready(self) -> bool:
        assert self.running, self.output()
        try:
            return ask(self.port, LIVEZ).status == 200
        except OSError:
            return False

    def lines(self, words: str) -> int:
        return sum(words in line for line in self.output(1_000_000).splitlines())


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Limited]:
    started = Limited(getattr(request, "param", "-n 1024"), tmp_path)
    try:
        started.wait_ready()
        yield started
    finally:
        started.stop()


def opened(
    stack: ExitStack, port: int, count: int, sent: bytes = b"", *, answered: bool = False
) -> list[socket.socket]:
    sockets = []
    for _ in range(count):
        one = stack.enter_context(connection(port))
        one.sendall(sent)
        if answered:
            assert read(one).status == 200
        sockets.append(one)
    return sockets


def milliseconds(port: int) -> float:
    begun = time.perf_counter()
    assert ask(port, LIVEZ).status == 200
    return 1_000 * (time.perf_counter() - begun)


# Of 300: a thousand take longer to be opened, beside other programs, than one may be idle.
@pytest.mark.parametrize("server", ["-n 300"], indirect=True)
@pytest.mark.parametrize("sent", [b"", HALF, LIVEZ], ids=["idle", "half a head", "kept alive"])
def test_idle_sockets_give_way(server: Limited, sent: bytes) -> None:
    with ExitStack() as stack:
        sockets = opened(stack, server.port, 400, sent, answered=sent == LIVEZ)
        assert ask(server.port, LIVEZ).status == 200  # all of them have been taken in
        took = sorted(milliseconds(server.port) for _ in range(50))
        assert took[25] < 1_000
        assert server.lines(FULL) == 1
        assert sockets[0].recv(1) == b""
        sockets[-1].sendall(b"a\r\n\r\n" if sent == HALF else LIVEZ)
        assert read(sockets[-1]).status == 200
    wait_until(lambda: server.lines(CALM) == 1, 180, "calm", details=server.output)
    assert server.lines(FULL) == 1


@pytest.mark.parametrize("server", ["-n 220"], indirect=True)
def test_who_waits_for_an_answer_does_not_give_way(server: Limited) -> None:
    """Of 120 connections 119 wait and one is idle; then that one's place is taken by a stream."""
    body = json.dumps({"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 3600})
    head = f"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    task = json.loads(
        ask(server.port, f"{head}Content-Type: application/json\r\n\r\n{body}".encode()).body
    )
    waiting = f"GET /tasks/{task['id']}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    streaming = f"GET /tasks/{task['id']}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    cancel = f"POST /tasks/{task['id']}/cancel HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with ExitStack() as stack:
        idle = opened(stack, server.port, 1)[0]
        waiters = opened(stack, server.port, 119, waiting)
        assert server.lines(FULL) == 0
        for _ in range(20):
            assert ask(server.port, LIVEZ).status == 200
        assert idle.recv(1) == b""
        stream = opened(stack, server.port, 1, streaming)[0]
        assert stream.recv(65_536).startswith(b"HTTP/1.1 200")
        for _ in range(20):
            answer = ask(server.port, LIVEZ)
            assert (answer.status, answer.code) == (503, "too-many-connections")
            assert answer.headers["retry-after"] == "1"
            assert server.lines(answer.headers["x-request-id"]) == 1
        assert server.lines(FULL) == 1
        stream.close()
        wait_until(lambda: ask(server.port, cancel).status == 200, 180, "cancelled")
        for waiter in waiters:
            assert read(waiter).status == 200


@pytest.mark.parametrize("server", ["-S -n 300"], indirect=True)
def test_the_soft_limit_is_raised_to_the_hard_one(server: Limited) -> None:
    limits = Path(f"/proc/{server.pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    soft, hard = line.split()[3:5]
    assert soft == hard != "300"


def test_too_few_descriptors_are_an_error(tmp_path: Path) -> None:
    server = Limited("-n 150", tmp_path)
    assert server.wait() == 78
    assert "taskq-server: 150 open files are too few: allow at least 200 (ulimit -n)" in (
        server.output()
    )


@pytest.mark.parametrize("server", ["-n 220"], indirect=True)
def test_refused_connections_that_stay_take_nobodys_place(server: Limited) -> None:
    """They may still read their answer, but are closed first when descriptors run short."""
    with ExitStack() as stack:
        opened(stack, server.port, 400, b"this is no HTTP\r\n\r\n")
        for _ in range(20):
            assert ask(server.port, LIVEZ).status == 200
        descriptors = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
        assert descriptors < 220
