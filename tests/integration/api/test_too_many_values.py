"""A payload has a limit of values, and a list of tasks has none of its own."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from taskq_server.core.config import Settings
from taskq_server.main import create_app
from taskq_server.runtime import open_runtime
from tests.integration.api.scripted_worker import ScriptedWorker

MOST = 5_000
ITEM = {"handler": "taskq.echo", "payload": {"value": 1}}


@pytest.fixture
async def api(migrated_url: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An API with the usual limits of bytes, and a small one of values."""
    settings = Settings(
        auth="off",
        database_url=migrated_url,
        redis_url=redis_url,
        max_payload_values=MOST,  # type: ignore[arg-type]
    )
    async with open_runtime(settings) as runtime:
        await ScriptedWorker(runtime).publish()
        transport = httpx.ASGITransport(create_app(runtime=runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


def task(values: int, **fields: Any) -> dict[str, Any]:
    """A task whose payload has so many values: an object, a list, and what is in it."""
    return {"handler": "taskq.echo", "payload": {"value": [0] * (values - 2)}, **fields}


async def send(
    api: httpx.AsyncClient, path: str, body: object, **headers: str
) -> tuple[int, str | None, list[str]]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    response = await api.post(path, content=raw, headers=sent)
    answer = response.json()
    pointers = [error["pointer"] for error in answer.get("errors", ())]
    return response.status_code, answer.get("code"), pointers if "code" in answer else []


TAKEN = (201, None, [])


def refused(*pointers: str) -> tuple[int, str, list[str]]:
    return 422, "too-many-values", list(pointers)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (task(MOST), TAKEN),
        (task(MOST + 1), refused("/payload")),
        (task(MOST, tags=[f"t{n}" for n in range(32)], title="x"), TAKEN),
        (task(20 * MOST), refused("/payload")),
        (task(3, title="x", description="[{,:" * 2_000), TAKEN),
        ({**ITEM, "payload": {"value": '[[{,\\"' * 10_000}}, TAKEN),
        ({**ITEM, "payload": {"value": [[]] * (MOST - 2)}}, TAKEN),
        ({**ITEM, "payload": {"value": [{"a": "b"}] * MOST}}, refused("/payload")),
        ({**ITEM, "tags": ["x"] * 50_000}, refused("/tags")),
        ({**ITEM, **{f"x{n}": n for n in range(50_000)}}, refused("")),
    ],
)
async def test_a_task(api: httpx.AsyncClient, body: object, expected: object) -> None:
    assert await send(api, "/tasks", body) == expected
    assert await send(api, "/tasks", json.dumps(body, indent=1).encode()) == expected
    where = expected[2] if isinstance(expected, tuple) else []
    batch = await send(api, "/tasks/batch", {"items": [ITEM, body, ITEM]})
    if expected == TAKEN:
        assert batch == TAKEN
    else:
        assert batch == refused(*(f"/items/1{one}" for one in where))


async def test_a_list_is_not_refused_for_being_a_list(api: httpx.AsyncClient) -> None:
    items = [task(MOST)] * 60
    assert await send(api, "/tasks/batch", {"items": items}) == TAKEN
    assert (await send(api, "/tasks/batch", {"items": [ITEM] * 1_000}))[0] == 201
    for number in (1_001, 1_900, 2_500):
        answer = await send(api, "/tasks/batch", {"items": [ITEM] * number})
        assert answer == (422, "invalid-request", ["/items"])


async def test_other_bodies(api: httpx.AsyncClient) -> None:
    ids = ["0198c0de-0000-7000-8000-000000000001"] * 1_000
    for wanted, code in ((1_000, "task-not-found"), (3_000, "invalid-request")):
        body = {"ids": (ids * 3)[:wanted], "timeout_seconds": 0}
        assert (await send(api, "/tasks/wait", body))[1] == code
    assert await send(api, "/tasks/wait", {"ids": ids * 9}) == refused("/ids")
    assert await send(api, "/tasks/wait", {"ids": [0] * 200_000}) == refused("/ids")
    unknown = {f"x{number}": 0 for number in range(12_000)}
    for odd in ([ITEM] * 9_000, unknown):
        assert (await send(api, "/tasks/batch", odd))[1] == "too-many-values"


async def test_the_same_large_body_again_is_the_same_tasks(api: httpx.AsyncClient) -> None:
    for path, body, other in (
        ("/tasks", task(MOST), task(MOST - 1)),
        ("/tasks/batch", {"items": [task(900)] * 9}, {"items": [task(900)] * 8 + [task(901)]}),
    ):
        key = {"Idempotency-Key": path}
        assert (await send(api, path, body, **key))[0] == 201
        assert (await send(api, path, json.dumps(body, indent=2).encode(), **key))[0] == 200
        assert (await send(api, path, other, **key))[1] == "idempotency-mismatch"


@pytest.mark.parametrize("path", ["/tasks", "/tasks/batch"])
@pytest.mark.parametrize(
    "name", [b"x" * 1_040_000, b"\\n" * 520_000, b"\\u0041" * 170_000, b"x" * 3_000_000]
)
async def test_a_name_that_is_too_long(api: httpx.AsyncClient, path: str, name: bytes) -> None:
    status, _, pointers = await send(api, path, b'{"handler":"taskq.echo","%s":1}' % name)
    assert status in (413, 422)
    assert len(str(pointers)) < 7_000_000
