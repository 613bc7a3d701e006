"""Passwords, keys and queries stay where they belong: nothing that is shown has them."""

import asyncio
import base64
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from taskq_client import (
    AsyncTaskqClient,
    ConfigurationError,
    TaskqClient,
    TaskqConnectionError,
    TaskqError,
    UnexpectedAnswer,
)
from tests.unit.client.servers import listening, tags_of

KINDS = [TaskqClient, AsyncTaskqClient]
SECRET = "sesame1"


def recording(seen: list[httpx.Request]) -> httpx.MockTransport:
    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"items": []})

    return httpx.MockTransport(respond)


def shown_by(error: BaseException) -> Iterator[str]:
    """All that a tool can show of an error: texts, its chain, the variables of library frames."""
    assert (error.__cause__, error.__context__) == (None, None)
    yield from (str(error), repr(error), str(error.args))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "/tests/" not in frame.f_code.co_filename:
            yield repr(frame.f_locals)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("url", "credentials"),
    [
        (f"http://joe:{SECRET}@tasks.example", f"joe:{SECRET}"),
        (f"http://joe:{SECRET}@tasks.example:8000/", f"joe:{SECRET}"),
        (f"http://:{SECRET}@tasks.example", f":{SECRET}"),
        (f"http://{SECRET}@tasks.example", f"{SECRET}:"),
        (f"http://j%40e:{SECRET}%2F%C3%A9@tasks.example", f"j@e:{SECRET}/é"),
        (f"http://joe:{SECRET}@more@tasks.example", f"joe:{SECRET}@more"),
    ],
)
@pytest.mark.parametrize("where", ["argument", "variable"])
def test_a_password_leaves_the_url(
    kind: type, url: str, credentials: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[httpx.Request] = []
    monkeypatch.setenv("TASKQ_URL", url if where == "variable" else "http://elsewhere.example")
    given = {} if where == "variable" else {"url": url}
    client = kind(transport=recording(seen), **given)

    tags_of(client)

    (request,) = seen
    expected = base64.b64encode(credentials.encode()).decode()
    assert request.headers["authorization"] == f"Basic {expected}"
    assert (request.url.userinfo, request.url.host) == (b"", "tasks.example")
    shown = [repr(client), repr(client._core), repr(client._channel.settings)]
    assert not [text for text in shown if SECRET in text or expected in text]


def test_an_empty_name_is_none() -> None:
    seen: list[httpx.Request] = []
    TaskqClient("http://@tasks.example", transport=recording(seen), api_key="k").tags()

    assert seen[0].headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("arguments", "variables", "names"),
    [
        ({"url": "http://joe:pw@host", "api_key": "k"}, {}, "(url) and the api key (api_key)"),
        (
            {"api_key": "k"},
            {"TASKQ_URL": "http://joe:pw@host"},
            "(TASKQ_URL) and the api key (api_key)",
        ),
        (
            {"url": "http://joe@host"},
            {"TASKQ_API_KEY": "k"},
            "(url) and the api key (TASKQ_API_KEY)",
        ),
        (
            {},
            {"TASKQ_URL": "http://joe:pw@host", "TASKQ_API_KEY": "k"},
            "(TASKQ_URL) and the api key (TASKQ_API_KEY)",
        ),
    ],
)
def test_two_who_ask_are_one_too_many(
    kind: type,
    arguments: dict[str, str],
    variables: dict[str, str],
    names: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        kind(**arguments)
    assert names in str(caught.value)
    assert "give one of them" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "url",
    [
        f"https://joe:{SECRET}@tasks.example/?x=1",
        f"https://tasks.example/?token={SECRET}",
        f"https://tasks.example/?token=a@{SECRET}",
        f"https://tasks.example/#{SECRET}",
        f"ftp://joe:{SECRET}@tasks.example",
        f"joe:{SECRET}@tasks.example:80",
        f"http://joe:{SECRET}/x@tasks.example",
        f"http://joe:x?{SECRET}@tasks.example",
        f"http://joe:x#{SECRET}@tasks.example",
        f"http://joe:{SECRET}@tasks.example:port",
        f"http://joe:{SECRET}@",
        f"http://joe:{SECRET}@[::1",
        f"http://joe:{SECRET}@a..b",
        f"http://joe:{SECRET}@xn--zzzz",
        f"http://joe:{SECRET}@{'a' * 70}.example",
        f"http://joe:{SECRET} @tasks.example",
    ],
)
@pytest.mark.parametrize("where", ["argument", "variable"])
def test_a_url_that_is_refused_shows_no_secret(
    kind: type, url: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKQ_URL", url)
    given = {} if where == "variable" else {"url": url}
    with pytest.raises(ConfigurationError, match="is not the url of a server") as caught:
        kind(**given)
    assert caught.value.setting == ("TASKQ_URL" if where == "variable" else "url")
    assert caught.value.setting in str(caught.value)
    assert not [text for text in shown_by(caught.value) if SECRET in text]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.DecodingError("no gzip")],
)
def test_a_request_that_fails_shows_no_secret(kind: type, failure: Exception) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise failure

    for given in ({"url": f"http://joe:{SECRET}@host"}, {"api_key": SECRET}):
        client = kind(transport=httpx.MockTransport(refuse), max_retries=1, **given)
        with pytest.raises(TaskqError) as caught:
            tags_of(client)
        encoded = base64.b64encode(f"joe:{SECRET}".encode()).decode()
        texts = list(shown_by(caught.value))
        assert len(texts) > 5
        assert not [text for text in texts if SECRET in text or encoded in text]


def failing(client: TaskqClient) -> None:
    next(client.list(q=SECRET))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"location": f"https://host/tasks?q={SECRET}"}),
        httpx.Response(302, headers={"location": f"https://joe:{SECRET}@host/tasks"}),
        httpx.Response(500, text="?"),
        httpx.Response(200, text="?"),
        httpx.ReadError("cut"),
        httpx.ReadTimeout("slow"),
    ],
)
def test_no_message_shows_a_query(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with respx.mock() as server, TaskqClient(max_retries=0) as client:
        server.get("http://127.0.0.1:8000/tasks").mock(side_effect=[answer])
        with pytest.raises(TaskqError) as caught:
            failing(client)
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text
    assert caplog.text


def test_a_redirect_still_says_where_to() -> None:
    with respx.mock() as server, TaskqClient() as client:
        moved = {"location": "https://tasks.example/tasks?q=x"}
        server.get("http://127.0.0.1:8000/tags").respond(301, headers=moved)
        with pytest.raises(UnexpectedAnswer, match=r"a redirect to https://tasks\.example/tasks"):
            client.tags()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_httpx_logs_our_requests_only_if_it_is_asked(
    kind: type, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://joe:{SECRET}@tasks.example"
    caplog.set_level(level)
    tags_of(kind(url, transport=recording([])))
    assert [record for record in caplog.records if record.name == "httpx"] == []

    with httpx.Client(transport=recording([])) as other:
        other.get("http://other.example")
    assert "GET http://other.example" in caplog.text

    caplog.set_level(level, "httpx")
    tags_of(kind(url, transport=recording([])))
    assert "HTTP Request: GET http://tasks.example/tags" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "proxy",
    [
        f"ftp://joe:{SECRET}@proxy.example",
        f"http://joe:{SECRET}/x@proxy.example:3128",
        f"http://joe:{SECRET}@proxy.example:port",
        f"http://joe:{SECRET}@proxy.example:99999",
        f"joe:{SECRET}#@proxy.example",
        f"http://joe:{SECRET}@",
    ],
)
def test_a_proxy_that_is_refused_shows_no_password(
    kind: type, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigurationError, match=r"^HTTPS_PROXY=.* is not the url of") as caught:
        kind("https://tasks.example")
    assert caught.value.setting == "HTTPS_PROXY"
    assert not [text for text in shown_by(caught.value) if SECRET in text]


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_gets_its_password_and_shows_it_to_nobody(
    kind: type, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heads: list[bytes] = []

    def refuse(connection: Any) -> None:
        heads.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 407 Who Are You\r\ncontent-length: 0\r\n\r\n")

    caplog.set_level(logging.DEBUG)
    with listening(refuse) as place:
        monkeypatch.setenv("ALL_PROXY", f"http://joe:{SECRET}@{place}")
        with pytest.raises(TaskqConnectionError) as caught:
            tags_of(kind("https://tasks.example", max_retries=0))
    encoded = base64.b64encode(f"joe:{SECRET}".encode())
    assert b"Proxy-Authorization: Basic " + encoded in heads[0]
    assert f"https://tasks.example through http://{place} (ALL_PROXY)" in str(caught.value)
    texts = [*shown_by(caught.value), caplog.text]
    assert not [text for text in texts if SECRET in text or encoded.decode() in text]


def test_a_callers_own_error_stays_what_it_is() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError("a bug of the caller's")

    calls: list[Callable[[], Any]] = [
        lambda: TaskqClient(transport=httpx.MockTransport(broken)).tags(),
        lambda: asyncio.run(AsyncTaskqClient(transport=httpx.MockTransport(broken)).tags()),
    ]
    for call in calls:
        with pytest.raises(ZeroDivisionError, match="of the caller's"):
            call()
