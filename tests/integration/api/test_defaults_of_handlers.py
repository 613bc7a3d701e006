"""What a handler says for tasks that leave it out: queue, priority and tags, whoever submits."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from taskq_server.crud import handlers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.domain.errors import QuotaExceeded
from taskq_server.domain.requests import TaskDefaults
from taskq_server.domain.task import Priority, score
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.schemas.task import ChildCreate
from tests.integration.api.sockets import Served, served
from tests.support.callers import CALLER

SAID = TaskDefaults("mails", Priority.LOW, ("daily", "mail"))
ORDINARY_LANE = {"Prefer": "the-ordinary-lane"}
LEFT_OUT: list[dict[str, Any]] = [{}, {"queue": None, "priority": None, "tags": None}]


async def publish(runtime: Runtime, name: str, defaults: TaskDefaults = TaskDefaults()) -> None:  # noqa: B008
    one = PublishedHandler(
        name=name,
        description="",
        payload_schema="{}",
        max_retries=3,
        timeout_seconds=300.0,
        defaults=defaults,
    )
    database, now = runtime.database, runtime.clock()
    await database.write(lambda c: handlers.publish(database, c, "default", [one], now))


@pytest.fixture(autouse=True)
async def published(runtime: Runtime) -> None:
    await publish(runtime, "mails.send", SAID)
    await publish(runtime, "plain")


@pytest.fixture
async def server(runtime: Runtime) -> AsyncIterator[Served]:
    async with served(create_app(runtime=runtime), runtime.settings) as one:
        yield one


def placed(task: dict[str, Any]) -> tuple[str, str, list[str]]:
    return task["queue"], task["priority"], task["tags"]


async def test_handlers_show_what_they_say(api: httpx.AsyncClient) -> None:
    shown = {each["name"]: placed(each) for each in (await api.get("/handlers")).json()["items"]}
    assert shown == {
        "mails.send": ("mails", "low", ["daily", "mail"]),
        "plain": ("default", "normal", []),
    }


@pytest.mark.parametrize("headers", [{}, ORDINARY_LANE], ids=["fast path", "route"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((left_out, ("mails", "low", ["daily", "mail"])) for left_out in LEFT_OUT),
        ({"tags": []}, ("mails", "low", [])),
        ({"tags": ["b", "a"], "queue": "q"}, ("q", "low", ["a", "b"])),
        (
            {"priority": "normal", "queue": "default"},
            ("default", "normal", ["daily", "mail"]),
        ),
    ],
)
async def test_what_a_submit_says_wins(
    server: Served,
    runtime: Runtime,
    headers: dict[str, str],
    given: dict[str, Any],
    expected: tuple[str, str, list[str]],
) -> None:
    answer, handed_on = await server.post(json={"handler": "mails.send", **given}, headers=headers)
    assert (answer.status_code, handed_on) == (201, len(headers))
    task = answer.json()
    assert placed(task) == expected
    stored = (await server.http.get(f"/tasks/{task['id']}")).json()
    assert placed(stored) == expected
    row = (await runtime.read.get(CALLER, UUID(task["id"]))).task
    assert row.score == score(row.created_at, Priority.from_label(expected[1]))
    listed = (await server.http.get("/tasks", params={"queue": expected[0]})).json()["items"]
    assert [each["id"] for each in listed] == [task["id"]]


async def test_the_items_of_a_batch_and_children_are_placed_alike(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    items = [
        {"handler": "mails.send"},
        {"handler": "mails.send", "tags": [], "queue": "q"},
        {"handler": "plain"},
    ]
    made = (await api.post("/tasks/batch", json={"items": items})).json()["items"]
    assert [placed(each) for each in made] == [
        ("mails", "low", ["daily", "mail"]), ("q", "low", []), ("default", "normal", []),
    ]  # fmt: skip
    child = ChildCreate(handler="mails.send", payload={}).as_new_task()
    details = (await runtime.submit.one(CALLER, child)).details
    assert (details.task.queue, details.task.priority, details.tags) == SAID[:3]


async def test_a_key_stands_for_the_body_as_it_was_sent(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    key, body = {"Idempotency-Key": "k"}, {"handler": "mails.send"}
    first = await api.post("/tasks", json=body, headers=key)
    await publish(runtime, "mails.send", TaskDefaults("others", Priority.HIGH, ()))
    runtime.catalog._known.clear()
    again = await api.post("/tasks", json=body, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    said = {**body, "queue": "mails", "priority": "low", "tags": ["daily", "mail"]}
    other = await api.post("/tasks", json=said, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert placed((await api.post("/tasks", json=body)).json()) == ("others", "high", [])


async def test_null_in_a_patch_is_what_the_handler_says(api: httpx.AsyncClient) -> None:
    body = {"handler": "mails.send", "priority": "urgent", "tags": ["a"], "queue": "q"}
    task = (await api.post("/tasks", json=body)).json()
    path = f"/tasks/{task['id']}"
    patched = (await api.patch(path, json={"priority": None})).json()
    assert placed(patched) == ("q", "low", ["a"])
    patched = (await api.patch(path, json={"tags": None})).json()
    assert placed(patched) == ("q", "low", ["daily", "mail"])
    patched = (await api.patch(path, json={"tags": []})).json()
    assert placed(patched) == ("q", "low", [])
    assert (await api.patch(path, json={"queue": None})).status_code == 422


async def test_a_default_counts_in_quotas(runtime: Runtime) -> None:
    limited = runtime.settings.model_copy(update={"max_queues": 1})
    new = ChildCreate(handler="mails.send", payload={}).as_new_task()
    async with open_runtime(limited) as other:
        await other.submit.one(CALLER, new._replace(queue="default"))
        with pytest.raises(QuotaExceeded) as one:
            await other.submit.one(CALLER, new)
        with pytest.raises(QuotaExceeded) as many:
            await other.submit.batch(CALLER, [new])
    assert [each.pointer for each in one.value.errors] == ["/queue"]
    assert [each.pointer for each in many.value.errors] == ["/items/0/queue"]


async def test_workers_of_before_publish_without_such_columns(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Their handlers say nothing; what a newer worker has said about one of theirs stays."""
    names = "namespace, name, description, payload_schema, max_retries, timeout_seconds, updated_at"
    insert = f"INSERT INTO handlers ({names}) VALUES ('default', 'old', '', '{{}}', 1, 2, :now)"
    update = "UPDATE handlers SET max_retries = 9, updated_at = :now WHERE name = 'mails.send'"

    async def as_before(connection: Any) -> None:
        for statement in (insert, update):
            await connection.execute(text(statement), {"now": "2026-01-01 00:00:00.000000"})

    await runtime.database.write(as_before)
    shown = {each["name"]: each for each in (await api.get("/handlers")).json()["items"]}
    assert placed(shown["old"]) == ("default", "normal", [])
    assert placed(shown["mails.send"]) == ("mails", "low", ["daily", "mail"])
    assert shown["mails.send"]["max_retries"] == 9
    assert placed((await api.post("/tasks", json={"handler": "old"})).json()) == placed(
        shown["old"]
    )
