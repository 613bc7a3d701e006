"""Submitting one task: defaults, checks, and what is stored."""

from datetime import UTC, datetime

import pytest

from taskq_server.crud.tables import tasks as tasks_table
from taskq_server.domain.errors import InvalidFields, InvalidPayload, UnknownHandler
from taskq_server.domain.task import Priority, Status, TaskDetails, score
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import TaskCreate
from tests.support.callers import CALLER
from tests.unit.server.factories import publish, rows_of, seconds

SOON = datetime(2027, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def build(runtime: Runtime) -> None:
    schema = '{"type":"object","properties":{"value":{}},"additionalProperties":false}'
    await publish(runtime.database, "build", schema=schema, max_retries=5, timeout_seconds=42.5)


async def submit(runtime: Runtime, **fields: object) -> TaskDetails:
    new = TaskCreate.model_validate({"handler": "build", **fields}).as_new_task()
    submitted = await runtime.submit.one(CALLER, new, traceparent="00-trace")
    assert not submitted.replayed
    return submitted.details


async def test_a_task_with_only_a_handler_gets_the_defaults(runtime: Runtime) -> None:
    before = runtime.clock()
    task = (await submit(runtime)).task
    assert (task.handler, task.title, task.description) == ("build", "build", None)
    assert (task.payload, task.queue, task.priority) == ("{}", "default", Priority.NORMAL)
    assert (task.max_retries, task.timeout_seconds) == (5, 42.5), "the handler's"
    assert (task.status, task.attempt, task.version) == (Status.QUEUED, 0, 1)
    assert task.run_at is None
    assert task.score == score(task.created_at, Priority.NORMAL)
    assert before <= task.created_at == task.updated_at <= runtime.clock()
    assert (task.namespace, task.traceparent) == ("default", "00-trace")


async def test_what_is_answered_is_what_is_stored(runtime: Runtime) -> None:
    details = await submit(
        runtime,
        payload={"value": [1, 2.5, None, {"ü": "☃"}]},
        title="October",
        description="the report",
        priority="urgent",
        tags=["b", "a", "b"],
        queue="slow",
        run_at=SOON,
        timeout_seconds=1.5,
        max_retries=0,
        backoff_base_seconds=0.5,
        backoff_max_seconds=3.0,
    )
    assert await runtime.read.get(CALLER, details.task.id) == details
    assert details.tags == ("a", "b")
    task = details.task
    assert (task.max_retries, task.timeout_seconds) == (0, 1.5)
    assert (task.backoff_base_seconds, task.backoff_max_seconds) == (0.5, 3.0)
    assert (task.run_at, task.score) == (SOON, score(SOON, Priority.URGENT))


async def test_a_delay_counts_from_the_submit(runtime: Runtime) -> None:
    task = (await submit(runtime, delay_seconds=90.5)).task
    assert task.run_at == task.created_at + seconds(90.5)
    assert (await submit(runtime, delay_seconds=0)).task.due_at <= runtime.clock()


async def test_ids_follow_the_order_of_submits(runtime: Runtime) -> None:
    made = [(await submit(runtime)).task.id for _ in range(5)]
    assert made == sorted(made)


async def refused(runtime: Runtime, **fields: object) -> InvalidFields:
    with pytest.raises(InvalidFields) as caught:
        await submit(runtime, **fields)
    assert await rows_of(runtime.database, tasks_table) == [], "nothing is stored"
    return caught.value


async def test_an_unknown_handler_is_refused(runtime: Runtime) -> None:
    assert isinstance(await refused(runtime, handler="nobody"), UnknownHandler)


async def test_a_payload_that_does_not_fit_is_refused(runtime: Runtime) -> None:
    assert isinstance(await refused(runtime, payload={"wrong": 1}), InvalidPayload)


async def test_a_payload_may_be_as_large_as_the_setting_says(runtime: Runtime) -> None:
    around = len('{"value":""}')
    fits = "x" * (2_000 - around)
    with pytest.raises(InvalidFields):
        await submit(runtime, payload={"value": fits + "x"})
    assert len((await submit(runtime, payload={"value": fits})).task.payload) == 2_000


async def test_a_payload_that_is_too_large_is_refused(runtime: Runtime) -> None:
    error = await refused(runtime, payload={"value": "ü" * 1_000})
    assert [(e.pointer, e.code) for e in error.errors] == [("/payload", "payload-too-large")]


async def test_equal_tags_are_one_tag(runtime: Runtime) -> None:
    for _ in range(2):
        await submit(runtime, tags=["monthly", "x", "monthly"])
    counts = {tag.name: tag.tasks for tag in await runtime.catalog.tags(CALLER)}
    assert counts == {"monthly": 2, "x": 2}
