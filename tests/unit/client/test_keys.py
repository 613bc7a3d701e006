"""Keys: what a client does with its own, and with an answer that is about it."""

import asyncio
import json
import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx
from click.testing import CliRunner

from taskq_client import (
    AsyncTaskqClient,
    Caller,
    ConfigurationError,
    PermissionDenied,
    TaskqAPIError,
    TaskqClient,
    Unauthenticated,
)
from taskq_client._channels import finish, iterate
from taskq_client._core import Core
from taskq_client.cli import main
from tests.unit.client.support import answer, core, events, problem, wire_task
from tests.unit.client.terminal import NOW, on_terminal, use

KEY = "tq_4Yt0aZ9kQb1x_" + "s" * 43
URL = "http://127.0.0.1:8000"
DASHBOARD = {
    "id": "4Yt0aZ9kQb1x",
    "name": "dashboard",
    "namespace": "default",
    "scopes": ["metrics:read", "tasks:read", "tasks:run:reports.*"],
    "rate_limit": "600/minute",
    "created_at": "2026-09-01T12:30:00Z",
    "expires_at": "2026-12-24T12:30:00Z",
    "last_used_at": None,
    "from_the_future": 1,
}
OPEN = {"id": None, "name": None, "namespace": "default", "scopes": ["admin", "tasks:read"]}
REFUSALS = [(401, "unauthenticated", Unauthenticated), (403, "forbidden", PermissionDenied)]
CALLS: list[Callable[[Core], Any]] = [
    lambda client: finish(client.tasks.submit("h", None, None, {})),
    lambda client: finish(client.tasks.get("0198c0de")),
    lambda client: finish(client.tasks.cancel("0198c0de")),
    lambda client: finish(client.tasks.delete("0198c0de")),
    lambda client: finish(client.service.whoami()),
    lambda client: finish(client.waits.wait("0198c0de", None)),
    lambda client: finish(client.waits.wait("0198c0de", 60)),
    lambda client: list(iterate(client.waits.stream("0198c0de", None))),
    lambda client: list(iterate(client.tasks.list({}))),
]


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
@pytest.mark.parametrize("call", CALLS)
def test_a_key_that_opens_nothing_is_not_tried_again(
    call: Callable[[Core], Any], status: int, code: str, kind: type[TaskqAPIError]
) -> None:
    client, channel = core(problem(status, code))

    with pytest.raises(kind) as caught:
        call(client)

    assert (type(caught.value), caught.value.code) == (kind, code)
    assert (len(channel.requests), channel.sleeps) == (1, [])


def test_a_wait_ends_when_its_key_is_revoked() -> None:
    client, channel = core(answer(200, wire_task()), problem(401, "unauthenticated"))
    with pytest.raises(Unauthenticated):
        finish(client.waits.wait("0198c0de", None))
    assert len(channel.requests) == 2

    client, channel = core(events(wire_task(), cut=True), problem(401, "unauthenticated"))
    states = iterate(client.waits.stream("0198c0de", None))
    assert next(states).version == 1
    with pytest.raises(Unauthenticated):
        next(states)
    assert len(channel.requests) == 2


def replying(seen: list[httpx.Request], body: object) -> httpx.MockTransport:
    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=body)

    return httpx.MockTransport(respond)


def test_both_clients_ask_who_they_are() -> None:
    seen: list[httpx.Request] = []
    blocking = TaskqClient(api_key=KEY, transport=replying(seen, DASHBOARD)).whoami()
    awaited = asyncio.run(
        AsyncTaskqClient(api_key=KEY, transport=replying(seen, DASHBOARD)).whoami()
    )

    assert blocking == awaited
    assert hash(blocking) == hash(awaited)
    assert (blocking.id, blocking.name, blocking.namespace) == (
        "4Yt0aZ9kQb1x", "dashboard", "default",
    )  # fmt: skip
    assert blocking.scopes == ["metrics:read", "tasks:read", "tasks:run:reports.*"]
    assert blocking.expires_at == datetime(2026, 12, 24, 12, 30, tzinfo=UTC)
    assert blocking.last_used_at is None
    assert [str(request.url) for request in seen] == [f"{URL}/keys/self"] * 2
    assert {request.headers["authorization"] for request in seen} == {f"Bearer {KEY}"}


def test_a_server_without_keys_knows_nobody() -> None:
    found = TaskqClient(transport=replying([], OPEN)).whoami()

    assert found == Caller(id=None, namespace="default", scopes=["admin", "tasks:read"])


@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
@pytest.mark.parametrize("name", ["acme", "müller", "a*/:", "n" * 64])
def test_an_operator_names_a_namespace(kind: Any, name: str) -> None:
    seen: list[httpx.Request] = []
    client = kind(api_key=KEY, namespace=name, transport=replying(seen, OPEN))
    for each in (client, client.with_options(max_retries=0)):
        if kind is TaskqClient:
            each.whoami()
        else:
            asyncio.run(each.whoami())
        assert f"('{URL}', namespace={name!r}, timeout=10" in repr(each)

    sent = [dict(request.headers.raw)[b"Taskq-Namespace"] for request in seen]
    assert sent == [name.encode()] * 2
    TaskqClient(transport=replying(seen, OPEN)).whoami()
    assert "taskq-namespace" not in seen[-1].headers


@pytest.mark.parametrize("namespace", ["", "a b", "a\n", "x" * 65, "a\ud800", "a\0", 5, b"a"])
@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
def test_what_is_no_namespace_is_refused_at_once(kind: Any, namespace: Any) -> None:
    with pytest.raises(ConfigurationError, match="namespace must be 1 to 64") as caught:
        kind(namespace=namespace, api_key=KEY)
    assert caught.value.setting == "namespace"


@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
@pytest.mark.parametrize(("status", "code", "error"), REFUSALS)
def test_a_refusal_shows_no_key(
    kind: Any,
    status: int,
    code: str,
    error: type[TaskqAPIError],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        typed = {"content-type": "application/problem+json"}
        return httpx.Response(status, json={"code": code, "detail": "no"}, headers=typed)

    caplog.set_level(logging.DEBUG)
    client = kind(api_key=KEY, transport=httpx.MockTransport(refuse))
    with pytest.raises(error) as caught:
        client.whoami() if kind is TaskqClient else asyncio.run(client.whoami())
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [line for line in shown.format() if "/tests/" not in line]
    assert len(ours) > 4
    texts = [*ours, repr(client), repr(caught.value), str(vars(caught.value)), caplog.text]
    assert not [text for text in texts if KEY in text or KEY[-20:] in text]


def taskq(*words: str, **variables: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, words, prog_name="taskq", env=variables)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert KEY not in result.output
    return result.exit_code, result.stdout, result.stderr


def test_whoami_in_a_pipe_is_a_line_for_each_field(server: respx.MockRouter) -> None:
    route = server.get("/keys/self").respond(200, json=DASHBOARD)

    code, shown, said = taskq("whoami", TASKQ_API_KEY=KEY)

    lines = dict(line.split("\t") for line in shown.splitlines())
    assert (code, said) == (0, "")
    assert list(lines) == [name for name in DASHBOARD if name != "from_the_future"]
    assert lines["scopes"] == '["metrics:read", "tasks:read", "tasks:run:reports.*"]'
    assert route.calls.last.request.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(taskq("whoami", "--json")[1])["expires_at"] == "2026-12-24T12:30:00Z"


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (
            DASHBOARD,
            "key 4Yt0aZ9kQb1x  dashboard\n"
            "  namespace  default\n"
            "  may        metrics:read, tasks:read,\n"
            "             tasks:run:reports.*\n"
            "  limit      600/minute\n"
            "  created    2026-09-01 12:30:00Z, 30d ago\n"
            "  expires    2026-12-24 12:30:00Z, in 84d\n",
        ),
        (OPEN, "no key is asked for\n  namespace  default\n  may        admin, tasks:read\n"),
    ],
)
def test_whoami_on_a_terminal(
    found: dict[str, Any], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert datetime(2026, 10, 1, 12, 30, tzinfo=UTC) == NOW
    monkeypatch.setenv("NO_COLOR", "1")
    use(lambda request: httpx.Response(200, json=found), monkeypatch)

    assert on_terminal(["whoami"], monkeypatch, columns=48) == shown


def test_the_command_names_a_namespace(server: respx.MockRouter) -> None:
    route = server.get("/tags").respond(200, json={"items": []})

    assert taskq("--namespace", "acme", "tags") == (0, "", "")
    assert route.calls.last.request.headers["taskq-namespace"] == "acme"
    assert taskq("--namespace", "a b", "tags")[0] == 2


LACKS = {"pointer": "/header/authorization", "code": "missing-scope", "detail": "tasks:read"}
FOREIGN = {"pointer": "/header/taskq-namespace", "code": "other-namespace", "detail": "no"}
UNNAMED = {"pointer": "/header/taskq-namespace", "code": "missing", "detail": "name one"}


@pytest.mark.parametrize(
    ("status", "fields", "headers", "key", "sentence"),
    [
        (401, {"code": "unauthenticated"}, {}, "", "Said (401 unauthenticated); put a key into "
         "TASKQ_API_KEY"),
        (401, {"code": "unauthenticated"}, {}, KEY, "Said (401 unauthenticated); replace the key "
         "in TASKQ_API_KEY"),
        (403, {"code": "forbidden", "errors": [LACKS]}, {}, KEY,
         "Said (403 forbidden; /header/authorization: tasks:read); use a key that may: "
         "'taskq whoami' says what this one may do"),
        (422, {"code": "invalid-request", "errors": [UNNAMED]}, {}, KEY,
         "Said (422 invalid-request; /header/taskq-namespace: name one); name a namespace "
         "with --namespace"),
        (403, {"code": "forbidden", "errors": [FOREIGN]}, {}, KEY,
         "Said (403 forbidden; /header/taskq-namespace: no); leave --namespace out"),
        (429, {"code": "rate-limited"}, {"Retry-After": "61"}, KEY,
         "Said (429 rate-limited); try again in 61 s"),
    ],
)  # fmt: skip
def test_the_command_says_what_to_do_about_a_key(
    server: respx.MockRouter,
    status: int,
    fields: dict[str, Any],
    headers: dict[str, str],
    key: str,
    sentence: str,
) -> None:
    typed = {"content-type": "application/problem+json", **headers}
    server.get("/tags").respond(status, json={"detail": "Said.", **fields}, headers=typed)

    assert taskq("tags", TASKQ_API_KEY=key) == (3, "", f"taskq: {sentence}.\n")
