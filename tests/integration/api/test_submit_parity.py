"""Both ways to submit, the fast path and FastAPI's route, do the same: a hundred random requests.

The other way is that of an app with a dependency of its own, which turns the fast path off.
"""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import Depends
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core.database import Database
from taskq_server.main import create_app
from taskq_server.models import Tag, Task, TaskTag
from taskq_server.runtime import Runtime
from tests.integration.api.random_submits import Submit, several
from tests.integration.api.sockets import Served, served

pytestmark = pytest.mark.usefixtures("worker")

SEED = 26
REQUESTS = 100
SLACK = timedelta(minutes=1)
EACH_ITS_OWN = {"id", "created_at", "updated_at", "idempotency_hash"}
OF_THE_CLOCK = ("run_at", "score")


async def nothing() -> None:
    """A dependency that is not taskq's own."""


async def test_a_hundred_random_requests(runtime: Runtime) -> None:
    settings = runtime.settings
    found: Counter[tuple[bool | None, int]] = Counter()
    slow_app = create_app(runtime=runtime, dependencies=[Depends(nothing)])
    async with (
        served(create_app(runtime=runtime), settings) as fast,
        served(slow_app, settings) as slow,
    ):
        ids: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for number, submit in enumerate(several(Random(SEED), REQUESTS)):
            first, handed_on = await send(fast, submit, b"f")
            second, always = await send(slow, submit, b"s")
            where = f"request {number}: {submit}"
            assert always == 1, where
            if submit.is_ordinary is not None:
                assert handed_on == (0 if submit.is_ordinary else 1), where
            assert first.status_code == second.status_code, where
            assert headers(first) == headers(second), where
            assert body(first, ids[0], where) == body(second, ids[1], where), where
            if first.is_success:
                rows = [await stored(runtime.database, each) for each in (first, second)]
                assert alike(*rows), where
            found[submit.is_ordinary, first.status_code] += 1
    # All that can happen has happened, on the fast path and beside it.
    assert sum(count for (taken, _), count in found.items() if taken) >= 30
    assert {status for taken, status in found if taken} == {200, 201, 422}
    assert {status for taken, status in found if not taken} >= {201, 400, 413, 415, 422}


async def send(way: Served, submit: Submit, name: bytes) -> tuple[httpx.Response, int]:
    async def chunks() -> AsyncIterator[bytes]:
        yield submit.body

    content = chunks() if submit.is_chunked else submit.body
    path = f"/tasks{submit.query}"
    return await way.post(path, content=content, headers=submit.headers_of(name))


def headers(answer: httpx.Response) -> dict[str, str]:
    """All of them, but for the date and what is made for each request."""
    found, content = dict(answer.headers), answer.json()
    assert int(found.pop("content-length")) == len(answer.content)
    del found["date"]
    if answer.is_success:
        assert found.pop("location") == f"/tasks/{content['id']}"
    else:
        assert found["x-request-id"] == content["request_id"]
    if found["x-request-id"] != "mine":
        assert len(found.pop("x-request-id")) == 32
    return found


def body(answer: httpx.Response, ids: dict[str, str], where: str) -> dict[str, Any]:
    """All of it, but for times; an id is a number that counts the tasks of its way."""
    content: dict[str, Any] = answer.json()
    for name in ("created_at", "updated_at", "instance", "request_id"):
        content.pop(name, None)
    if answer.is_success:
        content["id"] = ids.setdefault(content["id"], str(len(ids)))
    if content.get("run_at") and not content["run_at"].startswith("2031"):
        content["run_at"] = "after a delay"
    return content


async def stored(database: Database, answer: httpx.Response) -> dict[str, Any]:
    """The row, and the names of its tags."""
    task_id = UUID(answer.json()["id"])

    async def read(connection: AsyncConnection) -> dict[str, Any]:
        row = (await connection.execute(select(Task).where(Task.id == task_id))).mappings().one()
        named = select(Tag.name).join(TaskTag, TaskTag.tag_id == Tag.id)
        tags = await connection.scalars(named.where(TaskTag.task_id == task_id))
        return {**row, "tags": sorted(tags)}

    return await database.read(read)


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two rows are equal, but for what each has of its own and a moment of the clock."""
    assert (one["idempotency_hash"] is None) == (other["idempotency_hash"] is None)
    assert abs(one["score"] - other["score"]) <= SLACK / timedelta(microseconds=1)
    moments: list[datetime | None] = [each["run_at"] for each in (one, other)]
    assert moments[0] == moments[1] or abs(moments[0] - moments[1]) < SLACK  # type: ignore[operator]
    kept = one.keys() - EACH_ITS_OWN - set(OF_THE_CLOCK)
    return {name: one[name] for name in kept} == {name: other[name] for name in kept}
