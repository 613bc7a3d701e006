"""Unique keys that a handler finds in the payloads of its tasks, whoever submits."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from taskq_server.domain.requests import TaskDefaults
from taskq_server.main import create_app
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import ChildCreate
from tests.integration.api.sockets import Served, served
from tests.integration.api.test_defaults_of_handlers import ORDINARY_LANE, publish
from tests.support.callers import CALLER


@pytest.fixture(autouse=True)
async def published(runtime: Runtime) -> None:
    for name, pointer in (("sync", "/customer/id"), ("mail", "/customer/id"), ("plain", None)):
        await publish(runtime, name, TaskDefaults(unique_key=pointer))
    await publish(runtime, "whole", TaskDefaults(unique_key=""))


@pytest.fixture
async def server(runtime: Runtime) -> AsyncIterator[Served]:
    async with served(create_app(runtime=runtime), runtime.settings) as one:
        yield one


def new(handler: str, customer: object, **more: Any) -> dict[str, Any]:
    return {"handler": handler, "payload": {"customer": customer}, **more}


async def test_handlers_show_the_pointer(api: httpx.AsyncClient) -> None:
    shown = {one["name"]: one["unique_key"] for one in (await api.get("/handlers")).json()["items"]}
    expected = {"sync": "/customer/id", "mail": "/customer/id", "plain": None, "whole": ""}
    assert shown == expected


@pytest.mark.parametrize("headers", [{}, ORDINARY_LANE], ids=["fast path", "route"])
async def test_two_submits_with_one_value_are_one_task(
    server: Served, headers: dict[str, str]
) -> None:
    async def submit(body: dict[str, Any]) -> tuple[int, str, str | None]:
        answer, handed_on = await server.post(json=body, headers=headers)
        assert handed_on == len(headers)
        assert ("unique-conflict" in answer.headers) == (answer.status_code == 200)
        return answer.status_code, answer.json()["id"], answer.json()["unique_key"]

    status, first, key = await submit(new("sync", {"id": "acme"}))
    assert (status, key) == (201, "sync:acme")
    assert await submit(new("sync", {"id": "acme", "more": 1})) == (200, first, key)
    status, _, key = await submit(new("mail", {"id": "acme"}))
    assert (status, key) == (201, "mail:acme")
    status, number, key = await submit(new("sync", {"id": 42}))
    assert (status, key) == (201, "sync:42")
    for same in ("42", 42.0):
        assert await submit(new("sync", {"id": same})) == (200, number, key)
    status, own, key = await submit(new("sync", {"id": "acme"}, unique_key="acme"))
    assert (status, key) == (201, "acme")
    assert await submit(new("plain", 1, unique_key="acme")) == (200, own, key)
    assert await submit(new("plain", 1, unique_key="sync:acme")) == (200, first, "sync:acme")


@pytest.mark.parametrize("customer", [None, {}, {"id": None}, "acme", ["id"]])
async def test_without_a_value_tasks_may_be_many(api: httpx.AsyncClient, customer: Any) -> None:
    for _ in range(2):
        for how in (None, "reject"):
            answer = await api.post("/tasks", json=new("sync", customer, on_conflict=how))
            assert (answer.status_code, answer.json()["unique_key"]) == (201, None)


async def test_what_a_submit_says_about_conflicts_counts_for_it(api: httpx.AsyncClient) -> None:
    body = new("sync", {"id": "acme"}, delay_seconds=60)
    first = (await api.post("/tasks", json=body)).json()
    refused = await api.post("/tasks", json={**body, "on_conflict": "reject"})
    assert (refused.status_code, refused.json()["code"]) == (409, "unique-conflict")
    assert refused.json()["task"] == {"id": first["id"], "status": "queued"}
    more = new("sync", {"id": "acme", "n": 2}, on_conflict="replace")
    replaced = (await api.post("/tasks", json=more)).json()
    assert (replaced["id"], replaced["payload"]) == (first["id"], more["payload"])
    alone = await api.post("/tasks", json=new("plain", 1, on_conflict="return"))
    assert alone.status_code == 422
    assert [each["pointer"] for each in alone.json()["errors"]] == ["/on_conflict"]


async def test_items_of_a_batch_and_children_have_it_too(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    items = [new("sync", {"id": one}) for one in ("a", "b", "a")]
    made = (await api.post("/tasks/batch", json={"items": items})).json()["items"]
    assert [each["unique_key"] for each in made] == ["sync:a", "sync:b", "sync:a"]
    assert made[0]["id"] == made[2]["id"] != made[1]["id"]
    child = ChildCreate(handler="sync", payload={"customer": {"id": "b"}}).as_new_task()
    done = await runtime.submit.one(CALLER, child)
    assert (str(done.details.task.id), done.is_conflict) == (made[1]["id"], True)


async def test_the_whole_payload_may_be_the_key(api: httpx.AsyncClient) -> None:
    async def submit(payload: dict[str, Any]) -> int:
        body = {"handler": "whole", "payload": payload}
        return (await api.post("/tasks", json=body)).status_code

    assert await submit({"a": 1, "b": 2}) == 201
    assert await submit({"b": 2, "a": 1}) == 200
    assert await submit({"a": 1}) == 201
    assert await submit({}) == 201
    assert await submit({}) == 200


async def test_a_long_value_is_hashed(api: httpx.AsyncClient) -> None:
    for text in ("x" * 150, "two\nlines", "é" * 128, "ends with a blank "):
        first = await api.post("/tasks", json=new("sync", {"id": text}))
        again = await api.post("/tasks", json=new("sync", {"id": text}))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["unique_key"].startswith("sha256:")


async def test_another_pointer_counts_for_new_tasks_only(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    body = new("sync", {"id": "acme", "branch": 3})
    first = (await api.post("/tasks", json=body)).json()
    await publish(runtime, "sync", TaskDefaults(unique_key="/customer/branch"))
    runtime.catalog._known.clear()
    other = (await api.post("/tasks", json=body)).json()
    assert (first["unique_key"], other["unique_key"]) == ("sync:acme", "sync:3")
    await publish(runtime, "sync")
    runtime.catalog._known.clear()
    assert (await api.post("/tasks", json=body)).json()["unique_key"] is None
