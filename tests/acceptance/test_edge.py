"""What a connection may send, and how slowly: problems, and then the end of the connection."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.support.raw_http import RawAnswer, ask, connection, is_closed, read
from tests.support.stack import Stack

TASK = b'{"handler": "taskq.echo", "payload": {"value": 1}}'
LATER = b'{"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 3600}'
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(TASK), TASK)
LONG = b"a" * 17_000
MANY = b"".join(b"X-%d: a\r\n" % n for n in range(101))


@pytest.fixture
def port(stack: Stack) -> int:
    return int(stack.api_url.rpartition(":")[2])


@contextmanager
def told(port: int, sent: bytes) -> Iterator[tuple[socket.socket, RawAnswer]]:
    """A connection that has sent this, as much of it as was taken, and its answer."""
    with connection(port) as opened:
        with suppress(ConnectionError):
            opened.sendall(sent)
        yield opened, read(opened)


def check_refused(port: int, sent: bytes, status: int, code: str) -> None:
    with told(port, sent) as (opened, answer):
        check_problem(opened, answer, status, code)


def check_problem(opened: socket.socket, answer: RawAnswer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert is_closed(opened)


@pytest.mark.parametrize(
    "sent",
    {
        "target": b"GET /livez?" + LONG + b" HTTP/1.1\r\n\r\n",
        "name": GET + LONG + b": a\r\n\r\n",
        "value": GET + b"X: " + LONG + b"\r\n\r\n",
        "value without end": GET + b"X: " + LONG,
        "spaces": GET + b"X: " + b" " * 17_000 + b"a\r\n\r\n",
        "all together": GET + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 400) for n in range(50)),
        "fields": GET + MANY + b"\r\n",
        "short fields": GET + b"a:\r\n" * 5_000 + b"\r\n",
        "empty lines": b"\r\n" * 9_000,
        "megabytes": GET + b"X: " + b"a" * 20_000_000,
        "before a body": POST + b"X: " + LONG + b"\r\nContent-Length: 2\r\n\r\n{}",
        "trailer": CHUNKED + b"\r\n" + CHUNK + b"0\r\nX: " + LONG + b"\r\n\r\n",
        "trailer without end": CHUNKED + b"\r\n" + CHUNK + b"0\r\nX: " + b"a" * 900_000,
        "fields in the trailer": CHUNKED + b"\r\n" + CHUNK + b"0\r\n" + MANY + b"\r\n",
        "head and trailer": CHUNKED + b"X: " + b"a" * 9_000 + b"\r\n\r\n" + CHUNK + b"0\r\nY: "
        + b"a" * 9_000 + b"\r\n\r\n",
        "chunk extension": CHUNKED + b"\r\n5;" + b"a" * 40_000,
    }.items(),
    ids=lambda each: each[0],
)  # fmt: skip
def test_a_head_that_is_too_large(port: int, sent: tuple[str, bytes]) -> None:
    check_refused(port, sent[1], 431, "head-too-large")


@pytest.mark.parametrize("parts", [1, 2, 100])
def test_a_large_head_in_pieces(port: int, parts: int) -> None:
    head = GET + b"X: " + LONG + b"\r\n\r\n"
    size = len(head) // parts + 1
    with connection(port) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(head), size):
            opened.sendall(head[start : start + size])
            time.sleep(0.002)
        check_problem(opened, read(opened), 431, "head-too-large")


def test_heads_up_to_the_limit(port: int) -> None:
    fields = b"".join(b"X-%d: a\r\n" % n for n in range(99))
    assert ask(port, GET + fields + b"\r\n").status == 200
    padding = b"a" * (16_384 - len(GET) - len(b"X: \r\n\r\n"))
    assert ask(port, GET + b"X: " + padding + b"\r\n\r\n").status == 200
    check_refused(port, GET + b"X: a" + padding + b"\r\n\r\n", 431, "head-too-large")
    size = b"Content-Length: %d\r\n\r\n" % 900_000
    large = POST + b"X: " + b"a" * 16_000 + b"\r\n" + size + TASK.ljust(900_000)
    assert ask(port, large).status == 201


def test_many_requests_on_one_connection(port: int) -> None:
    with connection(port) as opened:
        for _ in range(30):
            opened.sendall(GET + b"X: " + b"a" * 10_000 + b"\r\n\r\n")
            assert read(opened).status == 200
        opened.sendall(CHUNKED + b"\r\n" + CHUNK + b"0\r\nX-Trailer: " + b"a" * 9_000 + b"\r\n\r\n")
        assert read(opened).status == 201
        opened.sendall(GET + b"\r\n")
        assert read(opened).status == 200


def test_an_answer_comes_in_one_piece(port: int) -> None:
    with connection(port) as opened:
        for _ in range(500):
            opened.sendall(GET + b"\r\n")
            head, _, body = opened.recv(65_536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert body, "the head came alone"


def test_a_trailer_is_no_part_of_the_head(port: int) -> None:
    trailer = b"0\r\nIdempotency-Key: a\r\nHost: evil.example\r\nPrefer: wait=1\r\n\r\n"
    first, second = (ask(port, CHUNKED + b"\r\n" + CHUNK + trailer) for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    assert json.loads(first.body)["id"] != json.loads(second.body)["id"]


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "identity", "chunked, chunked", "x"])
def test_other_transfer_codings(port: int, coding: str) -> None:
    field = b"Transfer-Encoding: %b\r\n\r\n" % coding.encode()
    check_refused(port, POST + field + CHUNK + b"0\r\n\r\n", 400, "malformed-request")


@pytest.mark.parametrize(
    "sent",
    [
        CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK + b"0\r\n\r\n",
        CHUNKED + b"Transfer-Encoding: gzip\r\n\r\n" + CHUNK + b"0\r\n\r\n",
        CHUNKED + b"Content-Length: 5\r\n\r\n" + CHUNK + b"0\r\n\r\n",
        CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + CHUNK + b"0\r\n\r\n",
        CHUNKED.replace(b"HTTP/1.1", b"HTTP/0.9") + b"\r\n" + CHUNK + b"0\r\n\r\n",
        GET.replace(b"1.1", b"1.0") + b"Transfer-Encoding: gzip\r\n\r\n",
        CHUNKED + b"\r\nnot hex\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        POST + b"Content-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_not_http_or_read_differently_by_others(port: int, sent: bytes) -> None:
    check_refused(port, sent, 400, "malformed-request")


def test_the_request_id_is_the_callers(port: int) -> None:
    sent = CHUNKED.replace(b"chunked", b"gzip") + b"X-Request-Id: mine\r\n\r\n"
    assert ask(port, sent).headers["x-request-id"] == "mine"


def test_an_upgrade_is_not_made(port: int) -> None:
    fields = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    with told(port, GET + fields) as (opened, answer):
        assert answer.status == 200
        assert is_closed(opened)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"rubbish\r\n\r\n", 400, "malformed-request"),
        (GET + b"Transfer-Encoding: gzip\r\n\r\n", 400, "malformed-request"),
        (GET + b"X: " + LONG + b"\r\n\r\n", 431, "head-too-large"),
        (GET + b"X: " + LONG * 3, 431, "head-too-large"),
        (GET + MANY + b"\r\n", 431, "head-too-large"),
    ],
)
def test_requests_before_a_bad_one_are_answered(
    port: int, sent: bytes, status: int, code: str
) -> None:
    good = GET + b"X: " + b"a" * 16_000 + b"\r\n\r\n"
    with told(port, good + good + sent) as (opened, first):
        assert (first.status, read(opened).status) == (200, 200)
        check_problem(opened, read(opened), status, code)


def test_a_refused_head_request_has_no_body(port: int) -> None:
    sent = GET.replace(b"GET", b"HEAD") + b"Transfer-Encoding: gzip\r\n\r\n"
    with told(port, sent) as (opened, answer):
        assert (answer.status, answer.body) == (400, b"")
        assert is_closed(opened)


SLOW = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "half a line": b"GET /liv",
    "half a head": GET,
    "no body": POST + b"Content-Length: 100\r\n\r\n",
    "half a body": POST + b"Content-Length: 100\r\n\r\n{",
    "half a chunk": CHUNKED + b"\r\n40\r\n{",
    "no last chunk": CHUNKED + b"\r\n" + CHUNK,
    "half a trailer": CHUNKED + b"\r\n" + CHUNK + b"0\r\nX: ",
}


def test_slow_senders_and_slow_answers(port: int) -> None:
    """One test, because each part takes its ten seconds, and all can at once."""
    task = json.loads(ask(port, POST + b"Content-Length: %d\r\n\r\n" % len(LATER) + LATER).body)
    waited = f"GET /tasks/{task['id']}?wait=13 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    stream = f"GET /tasks/{task['id']}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    many = json.dumps({"ids": [task["id"]], "timeout_seconds": 13}).encode()
    wait = POST.replace(b"/tasks", b"/tasks/wait") + b"Content-Length: %d\r\n\r\n" % len(many)
    with ExitStack() as stack:
        slow = {name: stack.enter_context(connection(port)) for name in SLOW}
        dripping = [stack.enter_context(connection(port)) for _ in range(3)]
        kept, behind, idle = (stack.enter_context(connection(port)) for _ in range(3))
        early, brisk, waiting, waiting_for_many, streaming = (
            stack.enter_context(connection(port)) for _ in range(5)
        )
        begun = time.monotonic()
        for name, opened in slow.items():
            opened.sendall(SLOW[name])
        kept.sendall(GET + b"\r\n")
        assert read(kept).status == 200
        kept.sendall(GET)  # half of the next head
        behind.sendall(GET + b"\r\n" + GET)
        assert read(behind).status == 200
        idle.sendall(GET + b"\r\n")
        assert read(idle).status == 200
        early.sendall(GET + b"Content-Length: 900\r\n\r\n{")
        assert read(early).status == 200
        dripping[0].sendall(GET + b"X: ")
        dripping[1].sendall(POST + b"Content-Length: 4000\r\n\r\n")
        dripping[2].sendall(CHUNKED + b"\r\n")
        brisk.sendall(POST + b"Content-Length: 2600\r\n\r\n" + TASK)
        waiting.sendall(waited)
        waiting_for_many.sendall(wait + many)
        streaming.sendall(stream)
        while time.monotonic() < begun + 8:
            time.sleep(0.5)
            early.sendall(b" ")
            dripping[0].sendall(b"a")
            dripping[1].sendall(b" ")
            dripping[2].sendall(b"1\r\n \r\n")
            brisk.sendall(b" " * 100)
        for name, opened in slow.items():
            problem = read(opened)
            assert (problem.status, problem.code) == (408, "request-timeout"), name
            assert 9.5 < time.monotonic() - begun < 16, name
            check_problem(opened, problem, 408, "request-timeout")
        for opened in (kept, behind, *dripping):
            check_problem(opened, read(opened), 408, "request-timeout")
        assert idle.recv(1) == b""  # which is no answer to what it might send just now
        assert early.recv(1) == b""
        brisk.sendall(b" " * (2600 - 1600 - len(TASK)))
        assert read(brisk).status == 201
        assert time.monotonic() - begun > 10
        assert read(waiting).status == 200
        assert read(waiting_for_many).status == 200
        assert time.monotonic() - begun > 12.5
        assert b"event-stream" in streaming.recv(65_536)
        streaming.settimeout(0.1)
        assert not is_closed(streaming)
