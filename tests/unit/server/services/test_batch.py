"""Submitting a list: all or nothing, in order."""

from typing import Any

import pytest

from taskq_server.crud.tables import tasks as tasks_table
from taskq_server.domain.errors import InvalidFields, InvalidPayload, UnknownHandler
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import TaskCreate
from taskq_server.services.submit import SubmittedBatch
from tests.support.callers import CALLER
from tests.unit.server.factories import publish, rows_of

SCHEMA = '{"type":"object","properties":{"value":{"type":"integer"}}}'


@pytest.fixture(autouse=True)
async def build(runtime: Runtime) -> None:
    await publish(runtime.database, "build", schema=SCHEMA)


async def submit(runtime: Runtime, *items: dict[str, Any]) -> SubmittedBatch:
    return await runtime.submit.batch(
        CALLER,
        [TaskCreate.model_validate({"handler": "build", **item}).as_new_task() for item in items],
    )


async def test_items_come_back_in_order_and_are_stored(runtime: Runtime) -> None:
    sent = [{"title": f"n{n}", "tags": [f"t{n % 3}", "all"]} for n in range(100)]
    made = await submit(runtime, *sent)
    assert not made.replayed
    assert [details.task.title for details in made.details] == [f"n{n}" for n in range(100)]
    ids = [details.task.id for details in made.details]
    assert ids == sorted(set(ids))
    assert await runtime.read.get(CALLER, ids[50]) == made.details[50]
    assert made.details[50].tags == ("all", "t2")
    counts = {tag.name: tag.tasks for tag in await runtime.catalog.tags(CALLER)}
    assert counts == {"all": 100, "t0": 34, "t1": 33, "t2": 33}


@pytest.mark.parametrize(
    ("bad", "kind", "pointer"),
    [
        ({"handler": "nobody"}, UnknownHandler, "/items/1/handler"),
        ({"payload": {"value": "x"}}, InvalidPayload, "/items/1/payload/value"),
        ({"payload": {"more": "y" * 3_000}}, InvalidFields, "/items/1/payload"),
    ],
)
async def test_one_bad_item_refuses_all(
    runtime: Runtime, bad: dict[str, Any], kind: type[InvalidFields], pointer: str
) -> None:
    with pytest.raises(kind) as caught:
        await submit(runtime, {}, bad, {})
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert await rows_of(runtime.database, tasks_table) == []


async def test_all_bad_items_are_named(runtime: Runtime) -> None:
    with pytest.raises(InvalidFields) as caught:
        await submit(runtime, {"handler": "x"}, {}, {"payload": {"value": []}}, {"handler": "y"})
    pointers = [error.pointer for error in caught.value.errors]
    assert pointers == ["/items/0/handler", "/items/2/payload/value", "/items/3/handler"]


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ([{"handler": "x"}, {"payload": {"value": []}}], UnknownHandler),
        ([{"payload": {"value": []}}, {"handler": "x"}], InvalidPayload),
        ([{"payload": {"more": "y" * 3_000}}, {"handler": "x"}, {}], InvalidFields),
        ([{}, {"handler": "x"}, {"payload": {"more": "y" * 3_000}}], UnknownHandler),
    ],
)
async def test_the_first_bad_item_says_what_kind_of_error_it_is(
    runtime: Runtime, items: list[dict[str, Any]], kind: type[InvalidFields]
) -> None:
    with pytest.raises(InvalidFields) as caught:
        await submit(runtime, *items)
    assert type(caught.value) is kind
