"""Every problem can be found in the log by its request id, and nothing of what was sent."""

import logging
from typing import Any

import httpx
import pytest

from taskq_server.core.database import Connection
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from tests.integration.api.scripted_worker import ScriptedWorker

ECHO = {"handler": "taskq.echo", "payload": {"value": "PLANTED-SECRET"}, "title": "PLANTED-SECRET"}
GONE = "/tasks/019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
REFUSED = {
    "a path": ("GET", "/nothing/here", None, 404, "not-found"),
    "a task": ("GET", GONE, None, 404, "task-not-found"),
    "a method": ("PUT", "/tasks", None, 405, "method-not-allowed"),
    "a field": ("POST", "/tasks", {**ECHO, "title": ""}, 422, "invalid-request"),
    "a handler": ("POST", "/tasks", {**ECHO, "handler": "x"}, 422, "unknown-handler"),
    "a query": ("GET", "/tasks?x=1", None, 422, "invalid-request"),
    "a batch": ("POST", "/tasks/batch", {"items": []}, 422, "invalid-request"),
    "a cursor": ("GET", "/tasks?cursor=x", None, 422, "invalid-cursor"),
}


def of_request(caplog: pytest.LogCaptureFixture, request_id: str) -> list[logging.LogRecord]:
    return [each for each in caplog.records if request_id in each.getMessage()]


@pytest.mark.parametrize("what", REFUSED)
async def test_a_refusal_is_in_the_log_at_debug(
    api: httpx.AsyncClient, worker: ScriptedWorker, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    method, path, body, status, code = REFUSED[what]
    request: dict[str, Any] = {} if body is None else {"json": body}
    with caplog.at_level(logging.DEBUG, "taskq.server"):
        response = await api.request(method, path, headers={"X-Request-Id": "find-me"}, **request)
    assert (response.status_code, response.json()["code"]) == (status, code)
    (record,) = of_request(caplog, "find-me")
    path = path.partition("?")[0]
    assert (
        record.getMessage() == f"request find-me: {method} {path} is answered with {status} {code}"
    )
    assert record.levelno == logging.DEBUG
    assert "PLANTED-SECRET" not in caplog.text
    with caplog.at_level(logging.INFO, "taskq.server"):
        caplog.clear()
        await api.request(method, path, headers={"X-Request-Id": "find-me"}, **request)
    assert of_request(caplog, "find-me") == []


async def test_what_ends_with_a_5xx_is_an_error_and_quotes_nothing(
    runtime: Runtime, worker: ScriptedWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """The table is away: SQLite takes that for an outage, MariaDB for a bug."""

    async def rename(connection: Connection, old: str, new: str) -> None:
        await connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")

    transport = httpx.ASGITransport(create_app(runtime=runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as api:
        assert (await api.post("/tasks", json=ECHO)).status_code == 201
        await runtime.database.write(lambda c: rename(c, "tasks", "away"))
        try:
            answers = [
                await api.post("/tasks", json=ECHO | {"description": "PLANTED-SECRET" * 50}),
                await api.post("/tasks/batch", json={"items": [ECHO] * 3}),
                await api.get("/tasks", params={"q": "PLANTED-SECRET"}),
                await api.get(GONE),
            ]
        finally:
            await runtime.database.write(lambda c: rename(c, "away", "tasks"))
    assert {answer.status_code for answer in answers} == {
        503 if runtime.database.dialect.one_writer else 500
    }
    for answer in answers:
        (record,) = of_request(caplog, answer.headers["x-request-id"])
        assert record.levelno == logging.ERROR
        assert str(answer.status_code) in record.getMessage()
        assert (record.exc_info is not None) == (answer.status_code == 500)
    assert "PLANTED-SECRET" not in caplog.text
    assert b"PLANTED-SECRET".hex() not in caplog.text
