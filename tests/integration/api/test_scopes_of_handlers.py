"""`tasks:run:<glob>`: to which handlers a key may submit, and of which it is told."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scoped import (
    ECHO,
    header,
    make_failed,
    task_of,
)
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER

SLOW = "an ordinary lane"
HANDLERS = ["taskq.echo", "taskq.flaky", "taskq.sleep"]


@pytest.fixture
async def closed(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[httpx.AsyncClient]:
    async with calling_closed(runtime) as client:
        yield client


async def stored(runtime: Runtime) -> int:
    stats = await runtime.stats.read(CALLER)
    return sum(stats.tasks.values())


def missing(response: httpx.Response) -> list[tuple[str, str, str]]:
    """Check that a key lacks scopes, and return what points at them."""
    assert response.status_code == 403, response.text
    problem = response.json()
    assert problem["code"] == "forbidden"
    return [(one["pointer"], one["code"], one["detail"]) for one in problem["errors"]]


@pytest.mark.parametrize("prefer", [{}, {"Prefer": SLOW}], ids=["fast path", "route"])
@pytest.mark.parametrize(
    "body",
    [
        ECHO,
        {"handler": "nobody.has.it"},
        {"handler": "taskq.echo", "payload": {"of": "another schema"}},
        {"handler": "taskq.echo", "payload": {"value": "x" * 2_000}},
        {"handler": "Taskq.sleep"},
        {"handler": "xtaskq.sleep"},
        {"handler": "taskq.sleepx"},
    ],
    ids=str,
)
async def test_a_handler_outside_the_globs_is_refused_whether_or_not_there_is_one(
    closed: httpx.AsyncClient, runtime: Runtime, body: dict[str, Any], prefer: dict[str, str]
) -> None:
    key = await header(runtime, "tasks:run:taskq.sl*p", "tasks:run:reports.*")
    response = await closed.post("/tasks", json=body, headers={**key, **prefer})
    scope = f"tasks:run:{body['handler']}"
    assert missing(response) == [("/handler", "missing-scope", scope)]
    assert scope in response.json()["detail"]
    assert await stored(runtime) == 0


async def test_a_handler_that_is_not_there_is_unknown_to_those_who_may_run_it(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    key = await header(runtime, "tasks:run:nobody.*")
    body = {"handler": "nobody.has.it"}
    response = await closed.post("/tasks", json=body, headers=key)
    assert response.json()["code"] == "unknown-handler"


async def test_a_batch_with_foreign_handlers_is_refused_as_a_whole(
    closed: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Nothing else that is wrong is told before, because that would tell which handlers exist."""
    key = await header(runtime, "tasks:run:taskq.echo")
    items = [
        {"handler": "taskq.echo", "payload": {"of": "another schema"}},
        ECHO,
        {"handler": "taskq.flaky"},
        {"handler": "nobody.has.it", "payload": {"value": "x" * 2_000}},
        {"handler": "taskq.flaky"},
    ]
    response = await closed.post("/tasks/batch", json={"items": items}, headers=key)
    assert missing(response) == [
        ("/items/2/handler", "missing-scope", "tasks:run:taskq.flaky"),
        ("/items/3/handler", "missing-scope", "tasks:run:nobody.has.it"),
        ("/items/4/handler", "missing-scope", "tasks:run:taskq.flaky"),
    ]
    assert await stored(runtime) == 0
    own = await closed.post("/tasks/batch", json={"items": [ECHO] * 3}, headers=key)
    assert (own.status_code, await stored(runtime)) == (201, 3)


@pytest.mark.parametrize("path", ["/tasks", "/tasks/batch"])
async def test_a_key_that_is_taken_does_not_open_a_foreign_handler(
    closed: httpx.AsyncClient, runtime: Runtime, path: str
) -> None:
    body = ECHO if path == "/tasks" else {"items": [ECHO]}
    once = {"Idempotency-Key": "once"}
    first = await header(runtime, "tasks:run:*")
    second = await header(runtime, "tasks:run:reports.*")
    assert (await closed.post(path, json=body, headers={**first, **once})).status_code == 201
    assert missing(await closed.post(path, json=body, headers={**second, **once}))
    assert await stored(runtime) == 1


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["tasks:read"], HANDLERS),
        (["tasks:run:*"], HANDLERS),
        (["tasks:run:*.sleep", "tasks:run:taskq.e*"], HANDLERS[::2]),
        (["tasks:run:reports.*"], []),
        (["tasks:write"], []),
        (["metrics:read", "admin", "tasks:operate"], []),
    ],
    ids=str,
)
async def test_a_key_is_told_of_the_handlers_that_its_globs_match(
    closed: httpx.AsyncClient, runtime: Runtime, scopes: list[str], expected: list[str]
) -> None:
    key = await header(runtime, *scopes)
    listed = (await closed.get("/handlers", headers=key)).json()["items"]
    assert [one["name"] for one in listed] == expected
    document = (await closed.get("/openapi.json", headers=key)).json()
    handler = document["components"]["schemas"]["TaskCreate"]["properties"]["handler"]
    assert handler.get("examples", []) == expected


async def test_when_a_task_runs_is_decided_by_those_who_may_run_it(
    closed: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    token = await make_key(runtime, "tasks:write", "tasks:run:reports.*")
    writer, runner = shown(token), await header(runtime, "tasks:write", "tasks:run:taskq.*")
    scope = "tasks:run:taskq.echo"
    for task_id in (await task_of(runtime, None), await task_of(runtime, token)):
        path = f"/tasks/{task_id}"
        for changes in (
            {"priority": "high"},
            {"priority": None},
            {"run_at": "2031-01-01T00:00:00Z"},
            {"run_at": None, "title": "now"},
            {"run_at": None, "priority": "normal"},
        ):
            pointers = sorted(f"/{name}" for name in changes if name != "title")
            refused = await closed.patch(path, json=changes, headers=writer)
            assert missing(refused) == [(each, "missing-scope", scope) for each in pointers]
        changes = {"title": "t", "tags": ["b"], "max_retries": 1, "timeout_seconds": 9}
        assert (await closed.patch(path, json=changes, headers=writer)).json()["version"] == 2
        changes = {"priority": "high", "run_at": None}
        assert (await closed.patch(path, json=changes, headers=runner)).status_code == 200
        await make_failed(worker, task_id)
        refused = await closed.post(f"{path}/retry", headers=writer)
        assert missing(refused) == [("/header/authorization", "missing-scope", scope)]
        assert (await closed.post(f"{path}/retry", headers=runner)).json()["status"] == "queued"
        # Its status would not allow that now; who may not run it is told nothing else.
        assert missing(await closed.post(f"{path}/retry", headers=writer))
        assert (await closed.post(f"{path}/cancel", headers=writer)).json()["status"] == "cancelled"
        assert (await closed.delete(path, headers=writer)).status_code == 204
