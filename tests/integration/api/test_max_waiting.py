"""How many tasks of a namespace may wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import event

from taskq_server.domain.errors import QuotaExceeded
from taskq_server.domain.requests import NewTask
from taskq_server.runtime import Runtime
from tests.integration.api.keys import make_key, shown
from tests.integration.api.limited import TASK, limited
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER
from tests.support.namespaces import make_namespaces

MOST = 3


@pytest.fixture
async def apis(runtime: Runtime, worker: ScriptedWorker) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two processes, as far as memory goes, with a small quota on one database."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(limited(runtime, auth="off", max_waiting=MOST))
            for _ in range(2)
        ]
        yield [api for api, _ in opened]


async def post(api: httpx.AsyncClient, key: str = "", **fields: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.post("/tasks", json={**TASK, **fields}, headers=headers)


async def batch(api: httpx.AsyncClient, items: int, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.post("/tasks/batch", json={"items": [TASK] * items}, headers=headers)


def refused(response: httpx.Response) -> str:
    """The pointer of a refusal."""
    assert response.status_code == 422, response.text
    problem = response.json()
    assert problem["code"] == "quota-exceeded"
    assert f"{MOST} tasks may wait" in problem["detail"]
    [error] = problem["errors"]
    assert error["code"] == "quota-exceeded"
    pointer: str = error["pointer"]
    return pointer


async def test_tasks_beyond_the_quota_are_refused_until_there_is_room(
    apis: list[httpx.AsyncClient], worker: ScriptedWorker
) -> None:
    one, other = apis
    stored = [await post(apis[n % 2]) for n in range(MOST)]
    assert [each.status_code for each in stored] == [201] * MOST
    for api in apis:
        assert refused(await post(api)) == ""
        assert refused(await post(api, delay_seconds=60)) == ""
    addresses = [each.headers["Location"] for each in stored]
    assert (await one.delete(addresses[0])).status_code == 204
    assert (await post(other)).status_code == 201
    assert refused(await post(one)) == ""
    assert (await one.post(f"{addresses[1]}/cancel")).status_code == 200
    assert (await post(one)).status_code == 201
    assert refused(await post(other)) == ""
    await worker.claim(stored[2].json()["id"])  # a running task does not wait
    assert (await post(other)).status_code == 201
    assert refused(await post(one)) == ""


async def test_a_task_that_will_be_tried_again_waits(
    apis: list[httpx.AsyncClient], worker: ScriptedWorker
) -> None:
    stored = [await post(apis[0]) for _ in range(MOST)]
    claimed = await worker.claim(stored[0].json()["id"])
    await worker.fail(claimed)
    assert (await apis[0].get(stored[0].headers["Location"])).json()["status"] == "retrying"
    assert refused(await post(apis[1])) == ""


async def test_a_retry_needs_a_place(apis: list[httpx.AsyncClient]) -> None:
    one, other = apis
    stored = [(await post(one)).headers["Location"] for _ in range(MOST)]
    for address in stored[1:]:
        assert (await one.post(f"{address}/cancel")).status_code == 200
    assert (await other.post(f"{stored[1]}/retry")).json()["status"] == "queued"
    assert (await post(other)).status_code == 201
    assert refused(await one.post(f"{stored[2]}/retry")) == ""
    for full in apis:  # what forbids it for good is said first
        queued = await full.post(f"{stored[0]}/retry")
        assert (queued.status_code, queued.json()["code"]) == (409, "invalid-transition")
        assert (await full.post(f"/tasks/{UUID(int=7)}/retry")).status_code == 404
    assert (await one.delete(stored[0])).status_code == 204
    assert (await other.post(f"{stored[2]}/retry")).status_code == 200


async def test_retries_that_come_at_once_share_what_is_left(
    apis: list[httpx.AsyncClient],
) -> None:
    cancelled = []
    for _ in range(10):
        cancelled.append((await post(apis[0])).headers["Location"])
        await apis[0].post(f"{cancelled[-1]}/cancel")
    answers = await asyncio.gather(*(apis[0].post(f"{each}/retry") for each in cancelled))
    assert sorted(each.status_code for each in answers) == [200] * MOST + [422] * (10 - MOST)


async def test_a_batch_is_stored_whole_or_not_at_all(apis: list[httpx.AsyncClient]) -> None:
    one, other = apis
    assert refused(await batch(one, MOST + 1)) == f"/items/{MOST}"
    assert (await batch(one, MOST - 1)).status_code == 201
    assert refused(await batch(other, 2)) == "/items/1"
    assert (await one.get("/stats")).json()["tasks"]["queued"] == MOST - 1
    assert (await batch(other, 1)).status_code == 201


async def test_a_repeated_submit_needs_no_place(apis: list[httpx.AsyncClient]) -> None:
    one, other = apis
    first = await post(one, key="mine")
    many = await batch(one, MOST - 1, key="ours")
    again = await post(other, key="mine")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert (await batch(other, MOST - 1, key="ours")).json() == many.json()
    assert refused(await post(other, key="other")) == ""
    assert refused(await batch(other, 2, key="other")) == "/items/0"


async def test_those_who_come_at_once_share_what_is_left(apis: list[httpx.AsyncClient]) -> None:
    answers = await asyncio.gather(*(post(apis[0]) for _ in range(20)))
    assert sorted(each.status_code for each in answers) == [201] * MOST + [422] * (20 - MOST)


async def test_namespaces_have_their_own_places(runtime: Runtime, worker: ScriptedWorker) -> None:
    await make_namespaces(runtime.database, "other")
    async with (
        limited(runtime, max_waiting=MOST) as (api, opened),
        limited(runtime, namespace="other") as (_, elsewhere),
    ):
        await ScriptedWorker(elsewhere).publish()
        for namespace in ("default", "other"):
            key = shown(await make_key(opened, "tasks:run:*", namespace=namespace))
            for _ in range(MOST):
                assert (await api.post("/tasks", json=TASK, headers=key)).status_code == 201
            refused(await api.post("/tasks", json=TASK, headers=key))


async def test_children_are_counted_too(runtime: Runtime, worker: ScriptedWorker) -> None:
    """`context.submit` comes this way."""
    async with limited(runtime, max_waiting=MOST) as (_, opened):
        for _ in range(MOST):
            await opened.submit.one(CALLER, NewTask(**TASK))
        with pytest.raises(QuotaExceeded, match="3 tasks may wait"):
            await opened.submit.one(CALLER, NewTask(**TASK))


async def test_far_from_the_limit_a_submit_costs_nothing_more(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with limited(runtime, auth="off", max_waiting=1_000_000) as (api, opened):
        transactions: list[object] = []
        await post(api)
        event.listen(opened.database.engine.sync_engine, "begin", transactions.append)
        for _ in range(20):
            assert (await post(api)).status_code == 201
        # With a look at the ledger for each it would be forty; handlers are read now and then.
        assert 20 <= len(transactions) < 32


async def test_refusals_leave_the_database_alone_most_of_the_time(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    async with limited(runtime, auth="off", max_waiting=1) as (api, opened):
        assert (await post(api)).status_code == 201
        transactions: list[object] = []
        event.listen(opened.database.engine.sync_engine, "begin", transactions.append)
        answers = await asyncio.gather(*(post(api) for _ in range(100)))
        assert {each.status_code for each in answers} == {422}
        assert len(transactions) < 30, "they share their looks at the ledger"


async def test_a_submit_whose_unique_key_is_held_needs_no_place(
    apis: list[httpx.AsyncClient], worker: ScriptedWorker
) -> None:
    for key in ("a", "b", "c"):
        assert (await post(apis[0], unique_key=key)).status_code == 201
    for api in apis:
        for how in ("return", "replace"):
            answer = await post(api, unique_key="a", on_conflict=how)
            assert (answer.status_code, answer.headers["Unique-Conflict"]) == (200, "true")
        assert refused(await post(api, unique_key="d")) == ""
        assert (await post(api, unique_key="a", on_conflict="reject")).status_code == 409
