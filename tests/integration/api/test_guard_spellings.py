"""However a request is spelled, only a key opens what a key opens, and nothing is a bug (500)."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from taskq_server.domain.keys import Token, new_token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import asking_for_keys, make_key
from tests.integration.api.sockets import served
from tests.support.raw_http import RawAnswer, ask

pytestmark = pytest.mark.usefixtures("worker")

TASK = json.dumps({"handler": "taskq.echo", "payload": {"value": 1}}).encode()
ID = b"0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"
REFUSALS = {400, 401, 431}
ABSOLUTE = (b"http://127.0.0.1", b"HTTPS://evil.example:1", b"http://user:secret@[::1]")
PATHS = (
    *(b"/", b"/tasks", b"/tasks/batch", b"/tasks/wait", b"/handlers", b"/tags", b"/stats"),
    *(b"/tasks/" + ID + rest for rest in (b"", b"/events", b"/attempts", b"/cancel", b"/retry")),
    *(b"/openapi.json", b"/docs", b"/redoc", b"/docs/assets/swagger-ui.css", b"/nowhere"),
)
SPELLINGS = (
    *(b"//tasks", b"///tasks", b"/tasks/", b"/tasks//", b"/%74asks", b"/%2Ftasks", b"/tasks%2F"),
    *(b"/tasks?", b"/tasks?key=1", b"/tasks%3Fx", b"/tasks;x", b"/tasks#x", b"/TASKS", b"/tasks."),
    *(b"/./tasks", b"/livez/../tasks", b"/livez/..%2Ftasks", b"/livez%2F..%2Ftasks", b"/livez/"),
    *(
        b"/livez%00",
        b"/livez%00/tasks",
        b"/livez;/tasks",
        b"/livez%20",
        b"//livez",
        b"/livez/tasks",
    ),
    *(b"/%", b"/%zz", b"/%ff", b"/%c0%af", b"/\xff", b"/tasks\\", b"/docs/assets/../../tasks"),
    *(b"*", b"tasks", b"livez", b"?/livez", b"http:/tasks", b"http://", b"127.0.0.1:80"),
    *(host + path for host in ABSOLUTE for path in (b"", b"/tasks", b"//tasks", b"/%74asks")),
)
METHODS = (
    *(b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT"),
    *(b"get", b"PROPFIND", b"QUERY", b"G\xc3\x96T"),
)


@dataclass(frozen=True)
class Port:
    """A port on which an API asks for keys."""

    number: int

    async def ask(
        self, target: bytes, *fields: bytes, method: bytes = b"GET", body: bytes = b""
    ) -> RawAnswer:
        """Send one request that ends the connection, and return its answer."""
        head = [b"%b %b HTTP/1.1" % (method, target), b"Host: 127.0.0.1", b"Connection: close"]
        if body:
            head += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
        sent = b"\r\n".join([*head, *fields, b"", body])
        return await asyncio.to_thread(ask, self.number, sent)


@pytest.fixture
async def port(runtime: Runtime) -> AsyncIterator[Port]:
    closed = asking_for_keys(runtime)
    async with served(create_app(runtime=closed), closed.settings) as one:
        found = one.http.base_url.port
        assert found is not None
        yield Port(found)


@pytest.fixture
async def key(runtime: Runtime) -> Token:
    return await make_key(runtime, "tasks:read", "tasks:run:*")


def bearer(text: str) -> bytes:
    return b"Authorization: Bearer " + text.encode()


async def test_no_method_and_no_spelling_opens_anything(port: Port) -> None:
    for method in METHODS:
        for target in (*PATHS, *SPELLINGS):
            body = TASK if method in (b"POST", b"PUT", b"PATCH") else b""
            try:
                answer = await port.ask(target, method=method, body=body)
            except EOFError:
                continue  # the connection was closed instead
            assert answer.status in REFUSALS, (method, target, answer)


async def test_no_credentials_but_one_whole_key_open_anything(port: Port, key: Token) -> None:
    good, text = bearer(key.text), key.text.encode()
    wrong = bearer(Token(key.id, "A" * 43).text)
    credentials: list[tuple[bytes, ...]] = [
        *((good, good), (good, wrong), (wrong, good), (good, b"Authorization: Basic eA==")),
        *((b"Authorization:",), (b"Authorization: Bearer",), (b"Authorization: Bearer ",)),
        *((b"Authorization: Basic " + text,), (b"Authorization: " + text,)),
        *((b"Authorization: Bearer" + text,), (b"Authorization: Bearer\t" + text,)),
        *((b"Authorization: Bearer \t" + text,), (b"Authorization: Bearer=" + text,)),
        *((good + b"x",), (good[:-1],), (good + b" x",), (good + b"," + text,), (good + b"\xa0",)),
        (good.replace(b"tq_", b"TQ_"),),
        (good.replace(b"_", b"-", 1),),
        (good.swapcase().replace(b"aUTHORIZATION: bEARER TQ_", b"Authorization: Bearer tq_"),),
        (good.replace(key.id.encode(), b"%"),),
        (good.replace(key.id.encode(), b"' OR '1'='1"),),
        *((bearer(new_token().text),), (wrong,), (bearer(f"tq_{key.id}_"),), (bearer("tq__"),)),
        *((b"Authorization: Bearer \xff\xfe",), ("Authorization: Bearer tq_é".encode(),)),
        *((b"Authorization: Bearer " + b"a" * 15_000,), (b"Authorization: " + b"a" * 1_000_000,)),
        *((good + b"\0",), (b"Authorization: Bearer \0" + text,), (b"Authori\0zation: x",)),
        *((b"X-Authorization: Bearer " + text,), (b"Proxy-Authorization: Bearer " + text,)),
        *((b"X-Api-Key: " + text,), (b"Cookie: Authorization=Bearer " + text,)),
        *((b"Authorization : Bearer " + text,), (b" Authorization: Bearer " + text,)),
        (b"X: y\r\n Authorization: Bearer " + text,),
    ]
    for fields in credentials:
        for method, target, body in ((b"GET", b"/tasks", b""), (b"POST", b"/tasks", TASK)):
            try:
                answer = await port.ask(target, *fields, method=method, body=body)
            except (EOFError, ConnectionError):
                continue  # the connection was closed instead: the head is no head, or too large
            assert answer.status in REFUSALS, (method, fields, answer)
    for query in (b"access_token", b"key", b"api_key", b"token", b"authorization"):
        answer = await port.ask(b"/tasks?%b=%b" % (query, text))
        assert answer.status == 401, query


async def test_a_key_opens_however_its_scheme_is_spelled(port: Port, key: Token) -> None:
    text = key.text.encode()
    for field in (
        *(b"Authorization: Bearer ", b"authorization: bearer ", b"AUTHORIZATION: BEARER "),
        *(b"Authorization:Bearer ", b"Authorization:  bEaReR   "),
    ):
        assert (await port.ask(b"/tasks", field + text)).status == 200, field
        stored = await port.ask(b"/tasks", field + text, method=b"POST", body=TASK)
        assert stored.status == 201, field


async def test_a_key_opens_paths_however_they_are_spelled(port: Port, key: Token) -> None:
    good = bearer(key.text)
    for target in (b"/%74asks", b"http://127.0.0.1/tasks", b"/tasks?"):
        assert (await port.ask(target, good)).status == 200, target
    for target in (b"//tasks", b"/tasks/", b"/TASKS", b"/livez/../tasks", b"/nowhere"):
        assert (await port.ask(target, good)).status == 404, target
    for method in METHODS:
        for target in SPELLINGS:
            try:
                answer = await port.ask(target, good, method=method)
            except EOFError:
                continue
            assert answer.status < 500, (method, target, answer)


async def test_probes_open_in_one_spelling(port: Port) -> None:
    for target in (b"/livez", b"/readyz", b"/%6civez", b"/livez?x=1", b"http://127.0.0.1/livez"):
        answer = await port.ask(target)
        assert answer.status in (200, 422), target
        assert b"handler" not in answer.body
