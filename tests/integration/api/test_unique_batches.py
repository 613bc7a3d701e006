"""Unique keys in batches: all is stored or nothing, and the first of equal keys leads."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.unique import ECHO, Body, check_keys, held, stored

pytestmark = pytest.mark.usefixtures("worker")

ONCE = {"Idempotency-Key": "once"}


def item(key: str | None, value: int = 1, **more: Any) -> Body:
    return {**ECHO, "unique_key": key, "payload": {"value": value}, **more}


async def send(api: httpx.AsyncClient, *items: Body, headers: Any = None) -> httpx.Response:
    return await api.post("/tasks/batch", json={"items": items}, headers=headers)


def ids(response: httpx.Response) -> list[str]:
    return [each["id"] for each in response.json()["items"]]


async def count(api: httpx.AsyncClient) -> int:
    return int((await api.get("/stats")).json()["tasks"]["queued"])


async def test_the_first_of_equal_keys_leads(api: httpx.AsyncClient, runtime: Runtime) -> None:
    first = await stored(api, unique_key="held")
    answer = await send(
        api, item("a", 1), item(None, 2), item("held", 3), item("a", 4), item("b", 5), item("a", 6)
    )
    assert (answer.status_code, answer.headers["Unique-Conflict"]) == (201, "true")
    found = answer.json()["items"]
    assert [each["payload"]["value"] for each in found] == [1, 2, 1, 1, 5, 1]
    assert found[0] == found[3] == found[5]
    assert found[2] == first
    assert await count(api) == 4
    await check_keys(runtime)


async def test_a_batch_of_free_keys_tells_of_no_conflict(api: httpx.AsyncClient) -> None:
    answer = await send(api, item("a"), item("b"))
    assert (answer.status_code, "Unique-Conflict" in answer.headers) == (201, False)


async def test_a_batch_that_stores_nothing_is_200(api: httpx.AsyncClient) -> None:
    first = await stored(api, unique_key="a")
    for prefer in ({}, {"Prefer": "return=minimal"}):
        answer = await send(api, item("a"), item("a"), headers=prefer)
        assert (answer.status_code, answer.headers["Unique-Conflict"]) == (200, "true")
        assert ids(answer) == [first["id"]] * 2


async def test_later_items_replace_what_waits(
    api: httpx.AsyncClient, worker: ScriptedWorker, runtime: Runtime
) -> None:
    waiting, running = await stored(api, unique_key="w"), await stored(api, unique_key="r")
    await worker.claim(running["id"])
    more = {"on_conflict": "replace", "delay_seconds": 3600}
    answer = await send(
        api, item("w", 2, **more), item("r", 3, **more), item("n", 4), item("n", 5, **more)
    )
    assert answer.status_code == 201
    found = answer.json()["items"]
    assert [each["payload"]["value"] for each in found] == [2, 1, 5, 5]
    assert [each["version"] for each in found] == [2, 2, 2, 2]
    assert ids(answer)[:2] == [waiting["id"], running["id"]]
    assert found[2] == found[3]
    assert found[2]["run_at"] is not None
    for each in found:
        assert (await api.get(f"/tasks/{each['id']}")).json() == each
    await check_keys(runtime)


async def test_a_rejected_item_refuses_the_whole(api: httpx.AsyncClient, runtime: Runtime) -> None:
    first = await stored(api, unique_key="held")
    refused = await send(
        api,
        item("free"),
        item("held", on_conflict="return"),
        item("free", on_conflict="reject"),
        item("held", on_conflict="reject"),
    )
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "unique-conflict")
    assert problem["task"] == {"id": first["id"], "status": "queued"}
    assert [(one["pointer"], one["code"]) for one in problem["errors"]] == [
        ("/items/2/unique_key", "unique-conflict"),
        ("/items/3/unique_key", "unique-conflict"),
    ]
    assert problem["errors"][0]["detail"] == "item 0 of the batch has the same unique key"
    assert first["id"] in problem["errors"][1]["detail"]
    assert await count(api) == 1
    assert await held(runtime) == {UUID(first["id"])}
    alone = (await send(api, item("free"), item("free", on_conflict="reject"))).json()
    assert (alone["code"], alone["task"]) == ("unique-conflict", None)
    assert await count(api) == 1


async def test_a_replacement_is_undone_with_its_batch(api: httpx.AsyncClient) -> None:
    first = await stored(api, unique_key="held")
    other = await stored(api, unique_key="other")
    refused = await send(
        api, item("held", 2, on_conflict="replace"), item("other", on_conflict="reject")
    )
    assert refused.json()["task"] == {"id": other["id"], "status": "queued"}
    assert (await api.get(f"/tasks/{first['id']}")).json() == first


@pytest.mark.parametrize("size", [1, 3])
async def test_a_batch_is_replayed_whatever_its_unique_keys_are(
    api: httpx.AsyncClient, worker: ScriptedWorker, runtime: Runtime, size: int
) -> None:
    items = [item("a", 1), item("a", 2, on_conflict="replace"), item("b", 3)][:size]
    first = await send(api, *items, headers=ONCE)
    assert first.status_code == 201
    again = await send(api, *items, headers=ONCE)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert "Unique-Conflict" not in again.headers
    assert again.json() == first.json()
    mismatch = await send(api, *items, item("c"), headers=ONCE)
    assert mismatch.json()["code"] == "idempotency-mismatch"
    for each in set(ids(first)):
        await worker.succeed(await worker.claim(each), 1)
    again = await send(api, *items, headers=ONCE)
    assert (again.status_code, ids(again)) == (200, ids(first))
    assert await held(runtime) == set()
    assert await count(api) == 0


async def test_a_replay_stores_anew_what_was_deleted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    items = [item("a"), item("b"), item("a")]
    first = ids(await send(api, *items, headers=ONCE))
    await api.delete(f"/tasks/{first[0]}")
    other = await stored(api, unique_key="a")
    answer = await send(api, *items, headers=ONCE)
    assert (answer.status_code, answer.headers["Unique-Conflict"]) == (200, "true")
    assert ids(answer) == [other["id"], first[1], other["id"]]
    await api.delete(f"/tasks/{other['id']}")
    answer = await send(api, *items, headers=ONCE)
    assert answer.status_code == 200
    anew = ids(answer)
    assert anew[0] == anew[2] not in (first[0], other["id"])
    assert anew[1] == first[1]
    await check_keys(runtime)
