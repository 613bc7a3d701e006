"""Lines of the log say whose request they are about, and the access log tells of each request."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import Depends, HTTPException
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.api import errors as api_errors
from taskq_server.api.problems import KINDS, Kind
from taskq_server.core.proxies import network
from taskq_server.domain import errors
from taskq_server.domain.errors import FieldError
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.keys import asking_for_keys, make_key, shown
from tests.integration.api.scoped import publish_in
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.sockets import served
from tests.support import raw_http
from tests.support.log_lines import Lines, json_lines
from tests.support.metrics import samples
from tests.support.namespaces import make_namespaces

SECRET = "PLANTED-SECRET"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ECHO: dict[str, Any] = {"handler": "taskq.echo", "payload": {"value": SECRET}}
GONE = "/tasks/019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
REFUSE = {
    "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON tasks WHEN NEW.title = 'refused' "
    "BEGIN SELECT RAISE(ABORT, 'PLANTED-SECRET'); END",
    "mysql": "CREATE TRIGGER refuse BEFORE INSERT ON tasks FOR EACH ROW IF NEW.title = 'refused' "
    "THEN SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1048, MESSAGE_TEXT = 'PLANTED-SECRET'; END IF",
}


def raised(cls: type[Exception]) -> Exception:
    """An error of a class."""
    match cls:
        case errors.RateLimited:
            return errors.RateLimited("too many", retry_after=1)
        case errors.Unauthenticated | api_errors.NotStarted:
            return cls()
        case api_errors.InvalidHeader:
            return api_errors.InvalidHeader("If-Match", "no tag")
        case api_errors.MethodNotAllowed:
            return api_errors.MethodNotAllowed(["GET"])
        case api_errors.UnsupportedMediaType:
            return api_errors.UnsupportedMediaType("no JSON", ["application/json"])
        case _ if issubclass(cls, errors.InvalidFields):
            return cls("wrong", [FieldError("/title", "wrong", "wrong")])
        case _:
            return cls("it went wrong")


@asynccontextmanager
async def calling(
    runtime: Runtime, error: Exception | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Call an app, each of whose routes raises an error if there is one."""

    async def fail() -> None:
        if error is not None:
            raise error

    app = create_app(runtime=runtime, dependencies=[Depends(fail)] if error else [])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
        yield client


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.__name__)
async def test_the_id_of_each_kind_of_problem_is_found_in_the_log(
    runtime: Runtime, cls: type[Exception]
) -> None:
    kind: Kind = KINDS[cls]
    async with calling(runtime, raised(cls)) as api:
        with json_lines() as lines:
            answer = await api.get("/tags")
    assert (answer.status_code, answer.json()["code"]) == (kind.status, kind.code)
    found = [line for line in lines() if answer.json()["request_id"] in line["event"]]
    (line,) = found
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["level"] == ("error" if kind.status >= 500 else "debug")
    assert f"{kind.status} {kind.code}" in line["event"]
    assert ("exception" in line) == (kind.code == "internal-error")


async def test_a_dependency_of_the_owner_is_found_as_well(runtime: Runtime) -> None:
    async with calling(runtime, HTTPException(418, "no coffee")) as api:
        with json_lines() as lines:
            answer = await api.get("/tags", headers={"X-Request-Id": "find-me"})
    assert answer.status_code == 418
    assert [line["level"] for line in lines() if "find-me" in line["event"]] == ["debug"]


RAW = {
    "no HTTP": (b"nothing\r\n\r\n", 400),
    "a large head": (b"GET /tags HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    "two codings": (
        b"POST /tasks HTTP/1.1\r\nhost: x\r\nx-request-id: find-me\r\n"
        b"transfer-encoding: gzip, chunked\r\n\r\n",
        400,
    ),
}


@pytest.mark.parametrize("what", RAW)
async def test_what_is_no_request_is_found_by_the_id_of_its_answer(
    runtime: Runtime, what: str
) -> None:
    sent, status = RAW[what]
    async with served(create_app(runtime=runtime), runtime.settings) as server:
        with json_lines() as lines:
            port = server.http.base_url.port
            assert port is not None
            answer = await asyncio.to_thread(raw_http.ask, port, sent)
    assert answer.status == status
    request_id = answer.problem["request_id"]
    (line,) = [line for line in lines() if request_id in line["event"]]
    assert (line["request_id"], line["level"]) == (request_id, "debug")
    assert answer.code in line["event"]


async def test_lines_say_whose_request_they_are_about(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    await make_namespaces(runtime.database, "theirs")
    key = await make_key(runtime, "tasks:read", namespace="theirs")
    headers = {**shown(key), "X-Request-Id": "mine", "traceparent": TRACEPARENT}
    async with calling(asking_for_keys(runtime)) as api:
        with json_lines() as lines:
            await api.get(GONE, headers=headers)
            await api.get(GONE, headers={"X-Request-Id": "nobody", "traceparent": "00-x-y-01"})
    fields = ("request_id", "namespace", "key_id", "trace_id")
    found = [
        tuple(line.get(name) for name in fields)
        for line in lines()
        if "is answered with" in line["event"]
    ]
    assert found == [("mine", "theirs", key.id, TRACE), ("nobody", None, None, None)]
    assert key.secret not in json.dumps(lines())


async def test_what_fails_for_one_of_two_tenants_in_a_batch_is_told_as_that_ones(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    tenants = ("ours", "theirs")
    await make_namespaces(runtime.database, *tenants)
    keys = {}
    for name in tenants:
        await publish_in(runtime, name)
        keys[name] = await make_key(runtime, "tasks:run:*", namespace=name)

    async def submit(name: str, title: str) -> httpx.Response:
        headers = {**shown(keys[name]), "X-Request-Id": f"of-{name}-{title}"}
        return await api.post("/tasks", json={**ECHO, "title": title}, headers=headers)

    async def run(statement: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.exec_driver_sql(statement)

        await runtime.database.write(work)

    async with calling(asking_for_keys(runtime)) as api:
        for name in tenants:
            assert (await submit(name, "warm")).status_code == 201
        await run(REFUSE[runtime.database.engine.dialect.name])
        try:
            with json_lines() as lines:
                # Three batches are under way at once, and the others share one.
                taken = [submit(name, title) for title in "abcd" for name in tenants]
                answers = await asyncio.gather(*taken, submit("theirs", "refused"))
        finally:
            await run("DROP TRIGGER refuse")
    assert [answer.status_code for answer in answers] == [201] * 8 + [500]
    (failed,) = [line for line in lines() if line["level"] == "error"]
    about = {name: failed.get(name) for name in ("request_id", "namespace", "key_id", "group")}
    assert about == {
        "request_id": "of-theirs-refused",
        "namespace": "theirs",
        "key_id": keys["theirs"].id,
        "group": None,
    }
    (batch,) = [line for line in lines() if "its items are tried one by one" in line["event"]]
    assert (batch["group"], batch["items"] > 1) == ("submits", True)
    shared = [line for line in lines() if "group" in line]
    assert not any({"request_id", "namespace", "key_id"}.intersection(line) for line in shared)
    assert SECRET not in json.dumps(lines())


def logging_access(runtime: Runtime, **settings: Any) -> Runtime:
    found = runtime.settings.model_copy(update={"access_log": True, **settings})
    return replace(runtime, settings=found)


def access(lines: Lines) -> list[dict[str, Any]]:
    return [line for line in lines() if line["logger"] == "taskq.server.access"]


async def test_the_access_log_has_a_line_for_each_request(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    logged = logging_access(runtime)
    async with served(create_app(runtime=logged), logged.settings) as server:
        with json_lines(level=logging.INFO) as lines:
            made = await server.http.post("/tasks", json=ECHO, headers={"X-Request-Id": "r1"})
            await server.http.get("/tasks", params={"q": SECRET})
            await server.http.get("/nothing%0Ahere%1b[2J")
            await server.http.get("/livez")
    assert made.status_code == 201
    found = [(line["method"], line["path"], line["status"]) for line in access(lines)]
    assert found == [
        ("POST", "/tasks", 201),
        ("GET", "/tasks", 200),
        ("GET", "/nothing\\nhere\\x1b[2J", 404),
        ("GET", "/livez", 200),
    ]
    first = access(lines)[0]
    assert first["event"] == f"POST /tasks 201 in {first['milliseconds']} ms"
    assert (first["client"], first["request_id"], first["level"]) == ("127.0.0.1", "r1", "info")
    assert first["namespace"] == "default"
    assert SECRET not in json.dumps(lines())


async def test_the_access_log_names_callers_behind_a_proxy(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    logged = logging_access(runtime, trusted_proxies=(network("127.0.0.1"),))
    async with calling(logged) as api:
        with json_lines() as lines:
            await api.get("/livez", headers={"X-Forwarded-For": "192.0.2.7"})
    assert [line["client"] for line in access(lines)] == ["192.0.2.7"]


async def test_there_is_no_access_log_unless_it_is_asked_for(
    api: httpx.AsyncClient,
) -> None:
    with json_lines() as lines:
        assert (await api.get("/livez")).status_code == 200
    assert access(lines) == []


async def test_what_is_refused_before_it_is_a_request_is_counted_once(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    logged = logging_access(runtime)
    head = b"POST /tasks HTTP/1.1\r\nHost: localhost\r\n"
    broken = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    async with served(create_app(runtime=logged), logged.settings) as server:
        assert server.http.base_url.port is not None
        port = server.http.base_url.port
        with json_lines(level=logging.INFO) as lines:
            for sent in (
                b"FOO\r\n\r\n",
                head + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
                head + broken,
            ):
                await asyncio.to_thread(raw_http.ask, port, sent)
            await server.http.get("/livez")
    counted = samples(runtime.metrics, "taskq_http_request_seconds_count")
    by_status: Counter[str] = Counter()
    for labels, number in counted.items():
        by_status[dict(labels)["status"]] += int(number)
    assert by_status == {"400": 2, "431": 1, "200": 1}
    # The server tells of the refusals itself; the application had begun with one of them.
    assert [line["status"] for line in access(lines)] == [None, 200]
