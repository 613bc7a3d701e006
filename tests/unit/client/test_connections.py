"""Connections of both clients: where they lead, how long they may take, and how they break."""

import asyncio
import logging
import pickle

import httpx
import pytest
import respx

from taskq_client import (
    AsyncTaskqClient,
    ConfigurationError,
    InvalidRequest,
    TaskqClient,
    TaskqConnectionError,
)
from taskq_client.errors import TaskqError, TaskqTimeout, UnexpectedAnswer
from tests.unit.client.either import both
from tests.unit.client.support import URL, wire_task


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (httpx.ConnectError("refused"), TaskqConnectionError, f"cannot connect to {URL}: refused"),
        (httpx.ReadError(""), TaskqConnectionError, f"the connection to {URL} broke: ReadError"),
        (httpx.RemoteProtocolError("cut"), TaskqConnectionError, "broke: cut"),
        (
            httpx.ReadTimeout("x"),
            TaskqTimeout,
            "127.0.0.1:8000 did not answer GET /tasks within 10 s",
        ),
        (httpx.ConnectTimeout("x"), TaskqTimeout, "did not answer"),
        (httpx.PoolTimeout("x"), TaskqTimeout, "did not answer"),
        (httpx.DecodingError("not gzip"), UnexpectedAnswer, "cannot be read: not gzip"),
    ],
)
def test_no_error_of_the_http_library_comes_through(
    failure: Exception, kind: type[TaskqError], message: str
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise failure

    for perform in both(
        lambda c: c.list(q="secret"), max_retries=0, transport=httpx.MockTransport(refuse)
    ):
        with pytest.raises(kind) as caught:
            perform()
        assert message in str(caught.value)
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args


def test_a_broken_connection_is_tried_again_by_both(slept: list[float]) -> None:
    for perform in both(lambda c: c.get("0198c0de")):
        replies: list[Exception | httpx.Response] = [httpx.ConnectError("refused")]
        replies += [httpx.Response(200, json=wire_task())]
        with respx.mock(base_url=URL) as server:
            route = server.get("/tasks/0198c0de").mock(side_effect=replies)

            assert perform().id == "0198c0de"
            assert route.call_count == 2
    assert len(slept) == 2
    assert all(0 <= pause <= 0.5 for pause in slept)


@pytest.mark.parametrize(
    ("argument", "variable", "used"),
    [
        (None, None, "http://127.0.0.1:8000/tags"),
        (None, "https://tasks.example.org/api/", "https://tasks.example.org/api/tags"),
        (" http://[::1]:9/ ", "https://tasks.example.org", "http://[::1]:9/tags"),
        ("", "", "http://127.0.0.1:8000/tags"),
    ],
)
def test_the_url_is_the_argument_else_the_variable_else_local(
    argument: str | None, variable: str | None, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("TASKQ_URL", variable)
    for perform in both(lambda c: c.tags(), url=argument):
        with respx.mock() as server:
            server.get(used).respond(200, json={"items": []})

            assert perform() == []


def test_timeouts_are_those_of_the_client_with_a_shorter_one_to_connect() -> None:
    for perform in both(lambda c: c.tags(), timeout=7.0):
        with respx.mock(base_url=URL) as server:
            route = server.get("/tags").respond(200, json={"items": []})
            perform()
        timeouts = route.calls.last.request.extensions["timeout"]
        assert timeouts == {"connect": 3.0, "read": 7.0, "write": 7.0, "pool": 7.0}


def test_a_password_in_the_url_is_used_but_not_shown() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"].startswith("Basic ")
        raise httpx.ConnectError("refused")

    for perform in both(
        lambda c: c.tags(),
        url="http://me:secret@host",
        max_retries=0,
        transport=httpx.MockTransport(refuse),
    ):
        with pytest.raises(TaskqConnectionError) as caught:
            perform()
        assert str(caught.value) == "cannot connect to http://host: refused"


@pytest.mark.parametrize("key", ["", " ", " k", "k ", "k\t", "k\n", "ключ", "k" * 256])
def test_a_key_that_cannot_be_sent_is_refused_before(key: str) -> None:
    for perform in both(lambda c: c.submit("h", idempotency_key=key)):
        with respx.mock(), pytest.raises(InvalidRequest, match="without a space at its ends"):
            perform()


def test_a_closed_client_says_so() -> None:
    client = TaskqClient()
    client.close()
    with pytest.raises(ConfigurationError, match="has been closed"):
        client.tags()

    async def awaited() -> None:
        client = AsyncTaskqClient()
        await client.aclose()
        with pytest.raises(ConfigurationError, match="has been closed"):
            await client.tags()

    asyncio.run(awaited())


def test_both_sleep_as_long_as_the_server_asks(slept: list[float]) -> None:
    for perform in both(lambda c: c.tags(), max_retries=1):
        with respx.mock(base_url=URL) as server:
            answers = [httpx.Response(503, headers={"Retry-After": "3"})]
            answers += [httpx.Response(200, json={"items": []})]
            server.get("/tags").mock(side_effect=answers)
            perform()

    assert slept == [3.0, 3.0]


def test_each_request_is_one_line_in_the_log_without_what_was_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "taskq.client")
    with respx.mock(base_url=URL) as server, TaskqClient(max_retries=0) as client:
        server.post("/tasks").respond(201, json=wire_task())
        server.get("/tasks").mock(side_effect=httpx.ReadError("x"))
        client.submit("h", {"password": "secret"})
        with pytest.raises(TaskqConnectionError):
            next(client.list(q="secret"))

    records = [record for record in caplog.records if record.name == "taskq.client"]
    assert {record.levelno for record in records} == {logging.DEBUG}
    assert [record.getMessage().rpartition(",")[0] for record in records] == [
        "POST /tasks: 201",
        "GET /tasks: no answer",
    ]


def test_a_url_that_grows_too_long_cannot_be_sent() -> None:
    for perform in both(lambda c: c.list(q="x" * 70_000)):
        with pytest.raises(InvalidRequest, match="GET /tasks cannot be sent: URL too long"):
            perform()
