"""A published schema that cannot be used, as an older worker may have left it: its own trouble."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.test_submit import count, problem
from tests.support.unusable import BROKEN, Temptation, temptation
from tests.unit.server.factories import publish

GOOD = {"handler": "taskq.echo", "payload": {"value": 1}}

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def tempting(tmp_path: Path) -> Iterator[Temptation]:
    with temptation(tmp_path) as made:
        yield made


@pytest.fixture
async def unusable(runtime: Runtime, tempting: Temptation, worker: Any) -> list[str]:
    """The names of published handlers whose schemas cannot be used."""
    texts = [*BROKEN.values(), *map(json.dumps, tempting.schemas().values())]
    names = [f"unusable.{number}" for number in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        await publish(runtime.database, name, schema=text)
    return names


async def test_only_its_own_submits_are_refused(
    api: httpx.AsyncClient, unusable: list[str], tempting: Temptation
) -> None:
    for name in unusable:
        refused = await api.post("/tasks", json={"handler": name, "payload": {}})
        body = problem(refused, 422, "unusable-handler")
        assert body["detail"].startswith(f"handler {name}: the JSON Schema of its payload")
        assert [(one["pointer"], one["code"]) for one in body["errors"]] == [
            ("/handler", "unusable-handler")
        ]
        assert (await api.post("/tasks", json=GOOD)).status_code == 201
    slowly = {"Prefer": "respond-async"}
    refused = await api.post("/tasks", json={"handler": unusable[0]}, headers=slowly)
    problem(refused, 422, "unusable-handler")
    assert (await api.post("/tasks", json=GOOD, headers=slowly)).status_code == 201
    assert tempting.visits == 0


async def test_a_batch_says_which_item_it_is(api: httpx.AsyncClient, unusable: list[str]) -> None:
    bad = {"handler": unusable[0]}
    response = await api.post("/tasks/batch", json={"items": [GOOD, bad, GOOD, bad]})
    errors = problem(response, 422, "unusable-handler")["errors"]
    assert [one["pointer"] for one in errors] == ["/items/1/handler", "/items/3/handler"]
    assert await count(api) == 0
    assert (await api.post("/tasks/batch", json={"items": [GOOD]})).status_code == 201


async def test_everything_else_goes_on(
    api: httpx.AsyncClient, unusable: list[str], tempting: Temptation, submit: Submit
) -> None:
    listed = (await api.get("/handlers")).raise_for_status().json()["items"]
    shown = {one["name"]: one["schema"] for one in listed}
    assert shown["taskq.echo"]["required"] == ["value"]
    for name in unusable:
        assert shown[name] == {"not": {}, "$comment": shown[name]["$comment"]}
        assert name in shown[name]["$comment"]
    document = (await api.get("/openapi.json")).raise_for_status().json()
    names = document["components"]["schemas"]["TaskCreate"]["properties"]["handler"]["examples"]
    assert set(names) == set(shown)
    task = await submit(max_retries=5)
    changed = await api.patch(f"/tasks/{task['id']}", json={"max_retries": None})
    assert changed.raise_for_status().json()["max_retries"] == 3
    for path in ("/stats", "/tags", "/readyz"):
        (await api.get(path)).raise_for_status()
    assert tempting.visits == 0


async def test_tasks_of_it_can_still_be_changed(
    api: httpx.AsyncClient, runtime: Runtime, worker: Any
) -> None:
    """Those that were taken while its schema could be used."""
    await publish(runtime.database, "work", max_retries=7)
    task = (await api.post("/tasks", json={"handler": "work", "max_retries": 1})).json()
    await publish(runtime.database, "work", schema="{", max_retries=7)
    changed = await api.patch(f"/tasks/{task['id']}", json={"max_retries": None})
    assert changed.raise_for_status().json()["max_retries"] == 7


async def test_once_a_worker_publishes_a_schema_that_can_be_used_its_tasks_are_taken(
    api: httpx.AsyncClient, runtime: Runtime, unusable: list[str]
) -> None:
    body = {"handler": unusable[0]}
    problem(await api.post("/tasks", json=body), 422, "unusable-handler")
    await publish(runtime.database, unusable[0])
    (await api.get("/handlers")).raise_for_status()  # which reads them again
    assert (await api.post("/tasks", json=body)).status_code == 201
