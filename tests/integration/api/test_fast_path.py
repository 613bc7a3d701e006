"""The fast path of `POST /tasks`: what it takes, and what it hands on to FastAPI's route."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware

from taskq_server.cli._http.connections import Connections
from taskq_server.cli._http.server import Server, listen
from taskq_server.core.config import Settings
from taskq_server.domain.task import TaskDetails, score
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.sockets import Counting, HandedOn, Served, served
from tests.integration.api.test_submit import ECHO
from tests.support.callers import CALLER

pytestmark = pytest.mark.usefixtures("worker")

# RFC 7240: a preference that is not understood is ignored. The fast path hands it on.
ORDINARY_LANE = {"Prefer": "the-ordinary-lane"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEY = "idempotency-key"
JSON = {"Content-Type": "application/json"}
GOOD = json.dumps(ECHO).encode()
LIMIT = 65_536
SLACK_SECONDS = 5
EACH_ITS_OWN = {"id", "created_at", "updated_at", "instance", "request_id"}
FULL = {
    **ECHO,
    "title": "Größe 漢字 😀",
    "description": "all that can be said",
    "priority": "high",
    "tags": ["b", "a"],
    "queue": "slow",
    "run_at": "2031-05-06T07:08:09.123456+02:00",
    "timeout_seconds": 7.5,
    "max_retries": 9,
    "backoff_base_seconds": 0.5,
    "backoff_max_seconds": 20,
    "keep_seconds": 3600.5,
}


class Lanes(Served):
    """Both ways to submit; each makes sure that it is the way it says."""

    async def express(self, **request: Any) -> httpx.Response:
        answer, handed_on = await self.post(**request)
        assert handed_on == 0, "the fast path did not take it"
        return answer

    async def ordinary(self, *, headers: Mapping[str, str], **request: Any) -> httpx.Response:
        answer, handed_on = await self.post(headers={**headers, **ORDINARY_LANE}, **request)
        assert handed_on == 1, "FastAPI has not seen it"
        return answer


@pytest.fixture
async def lanes(runtime: Runtime) -> AsyncIterator[Lanes]:
    async with served(create_app(runtime=runtime), runtime.settings) as one:
        yield Lanes(one.http, one.handed_on)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (ECHO, {}, 201),
        (FULL, {}, 201),
        ({**ECHO, "delay_seconds": 60}, {}, 201),
        (ECHO, {"traceparent": TRACE, "X-Request-Id": "mine"}, 201),
        (ECHO, {"traceparent": "nonsense", "X-Request-Id": "not safe to log"}, 201),
        (ECHO, {"Accept": "text/html", "If-Match": '"7"', "Cookie": "a=b"}, 201),
        (ECHO, {"Content-Type": "application/json; charset=utf-8"}, 201),
        (ECHO, {"Content-Encoding": "identity"}, 201),
        ({**ECHO, "handler": "nobody.has-it"}, {}, 422),
        ({**ECHO, "payload": {}}, {}, 422),
        ({**ECHO, "payload": {"value": "x" * 2_000}}, {}, 422),  # above max_payload_bytes
    ],
)
async def test_both_lanes_answer_alike(
    lanes: Lanes, runtime: Runtime, body: Any, headers: Mapping[str, str], status: int
) -> None:
    express = await lanes.express(json=body, headers=headers)
    ordinary = await lanes.ordinary(json=body, headers=headers)
    assert express.status_code == status
    _answered_alike(express, ordinary)
    if status == 201:
        _stored_alike(await _stored(runtime, express), await _stored(runtime, ordinary))


@pytest.mark.parametrize("key", ["k", "a b", "~" * 255])
async def test_both_lanes_share_idempotency_keys(lanes: Lanes, key: str) -> None:
    headers = {KEY: key}
    first = await lanes.express(json=ECHO, headers=headers)
    replays = await _both(lanes, ECHO, headers)
    mismatches = await _both(lanes, {**ECHO, "title": "other"}, headers)
    second = await lanes.ordinary(json=ECHO, headers={KEY: "another"})
    replayed = await lanes.express(json=ECHO, headers={KEY: "another"})
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    assert [one.json() for one in replays] == [first.json()] * 2
    assert [one.status_code for one in (*replays, *mismatches)] == [200, 200, 422, 422]
    assert replays[0].headers["idempotency-replayed"] == "true"
    assert second.json()["id"] != first.json()["id"]
    assert replayed.json() == second.json()
    assert replayed.status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({**ECHO, "unknown": 1}, {}, 422),
        ({**ECHO, "run_at": "2031-05-06T07:08:09Z", "delay_seconds": 1}, {}, 422),
        ({**ECHO, "payload": {"value": 2**64}}, {}, 422),
        ([], {}, 422),
        (ECHO, {KEY: ""}, 422),
        (ECHO, {KEY: "x" * 256}, 422),
        (ECHO, {"Content-Type": "text/plain"}, 415),
        (ECHO, {"Content-Encoding": "br"}, 415),
    ],
)
async def test_what_is_out_of_order_is_handed_on(
    lanes: Lanes, body: Any, headers: Mapping[str, str], status: int
) -> None:
    plain, handed_on = await lanes.post(json=body, headers=headers)
    assert (plain.status_code, handed_on) == (status, 1)
    _answered_alike(plain, await lanes.ordinary(json=body, headers=headers))


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b'{"handler": NaN}', 400),
        (b'{"handler": "taskq.echo", "handler": "taskq.echo"}', 400),
        (b'{"handler": "\xff"}', 400),
        (b"", 400),
        (GOOD + b" " * LIMIT, 413),
    ],
)
async def test_what_cannot_be_read_is_handed_on(lanes: Lanes, text: bytes, status: int) -> None:
    plain, handed_on = await lanes.post(content=text, headers=JSON)
    assert (plain.status_code, handed_on) == (status, 1)
    _answered_alike(plain, await lanes.ordinary(content=text, headers=JSON))


@pytest.mark.parametrize(("rest", "status"), [(b" ", 201), (b"}", 400)])
@pytest.mark.parametrize("length", [{}, {"Content-Length": str(len(GOOD) + 1)}])
async def test_a_body_in_pieces_is_handed_on(
    lanes: Lanes, rest: bytes, status: int, length: Mapping[str, str]
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield GOOD
        await asyncio.wait_for(lanes.handed_on.first.wait(), 60)
        yield rest

    answer, handed_on = await lanes.post(content=pieces(), headers={**JSON, **length})
    assert (answer.status_code, handed_on) == (status, 1)
    if status == 201:
        _answered_alike(await lanes.express(content=GOOD, headers=JSON), answer)


PREFIX = "/queue"
TRUSTING = {"trusted_proxies": "127.0.0.0/8"}


@pytest.mark.parametrize("kept", ["", PREFIX])
@pytest.mark.parametrize(
    ("settings", "headers"),
    [({"root_path": PREFIX}, {}), (TRUSTING, {"X-Forwarded-Prefix": PREFIX})],
    ids=["setting", "proxy"],
)
async def test_it_is_open_under_a_prefix(
    runtime: Runtime, settings: dict[str, str], headers: Mapping[str, str], kept: str
) -> None:
    changed = Settings.load(**{**runtime.settings.model_dump(), **settings})
    app = create_app(runtime=replace(runtime, settings=changed))
    async with served(app, changed) as one:
        answer, handed_on = await one.post(f"{kept}/tasks", json=ECHO, headers=headers)
    assert (answer.status_code, handed_on) == (201, 0)
    assert answer.headers["location"] == f"{PREFIX}/tasks/{answer.json()['id']}"


async def test_it_is_open_where_the_app_is_mounted(runtime: Runtime) -> None:
    inner, outer = create_app(runtime=runtime), FastAPI()
    outer.mount(PREFIX, inner)
    async with served(outer, runtime.settings, counted=inner) as one:
        answer, handed_on = await one.post(f"{PREFIX}/tasks", json=ECHO)
    assert (answer.status_code, handed_on) == (201, 0)
    assert answer.headers["location"] == f"{PREFIX}/tasks/{answer.json()['id']}"


@pytest.mark.parametrize("prefix", [PREFIX, "/tasks", "/a/tasks", "/queue/"])
async def test_it_is_open_behind_the_root_path_of_uvicorn(runtime: Runtime, prefix: str) -> None:
    """uvicorn puts it in front of the path."""
    app, handed_on = create_app(runtime=runtime), HandedOn()
    app.user_middleware.append(Middleware(Counting, handed_on=handed_on))
    config = uvicorn.Config(app, root_path=prefix, log_config=None, ws="none")
    with listen(runtime.settings.model_copy(update={"port": 0})) as listener:
        server = Server(config, Connections(100))
        serving = asyncio.create_task(server.serve([listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=180) as http:
                answer = await http.post("/tasks", json=ECHO)
        finally:
            server.should_exit = True
            await serving
    assert (answer.status_code, handed_on.count) == (201, 0)
    assert answer.headers["location"] == f"/{prefix.strip('/')}/tasks/{answer.json()['id']}"


async def _both(
    lanes: Lanes, body: Any, headers: Mapping[str, str]
) -> tuple[httpx.Response, httpx.Response]:
    express = await lanes.express(json=body, headers=headers)
    ordinary = await lanes.ordinary(json=body, headers=headers)
    _answered_alike(express, ordinary)
    return express, ordinary


def _answered_alike(one: httpx.Response, other: httpx.Response) -> None:
    assert one.status_code == other.status_code
    assert _headers(one) == _headers(other)
    first, second = _body(one), _body(other)
    _nearly(first, second, "run_at")
    assert first == second


def _headers(answer: httpx.Response) -> dict[str, str]:
    """What has to be equal; the id of the task stands in the address."""
    body = answer.json()
    headers = dict(answer.headers)
    if answer.is_success:
        assert headers["location"] == f"/tasks/{body['id']}"
        assert headers["etag"] == f'"{body["version"]}"'
        headers["location"] = "/tasks/…"
    else:
        assert headers["x-request-id"] == body["request_id"]
    if answer.request.headers.get("x-request-id") != "mine":
        headers["x-request-id"] = "made here"
    # A time whose microseconds are all zero is shorter.
    assert int(headers["content-length"]) == len(answer.content)
    headers["content-length"] = "…"
    headers["date"] = "…"
    return headers


def _body(answer: httpx.Response) -> dict[str, Any]:
    assert EACH_ITS_OWN & answer.json().keys()
    return {name: value for name, value in answer.json().items() if name not in EACH_ITS_OWN}


def _nearly(one: dict[str, Any], other: dict[str, Any], name: str) -> None:
    """A delay counts from the submit: take two times that are near each other as equal."""
    moments = [datetime.fromisoformat(each[name]) for each in (one, other) if each.get(name)]
    if moments and len(moments) == 2:
        assert abs((moments[0] - moments[1]).total_seconds()) < SLACK_SECONDS
        one[name] = other[name]


async def _stored(runtime: Runtime, answer: httpx.Response) -> TaskDetails:
    stored = await runtime.read.get(CALLER, UUID(answer.json()["id"]))
    trace = answer.request.headers.get("traceparent")
    assert stored.task.traceparent == (trace if trace == TRACE else None)
    return stored


def _stored_alike(one: TaskDetails, other: TaskDetails) -> None:
    assert one.tags == other.tags
    for task in (one.task, other.task):
        assert task.score == score(task.due_at, task.priority)
    first, second = one.task._asdict(), other.task._asdict()
    for name in ("id", "created_at", "updated_at", "run_at", "score"):
        del first[name], second[name]
    assert first == second
