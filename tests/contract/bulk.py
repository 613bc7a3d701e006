"""What an application does with all tasks that a filter finds."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from taskq_client import (
    BulkCount,
    BulkOperation,
    BulkTimeout,
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    ValidationFailed,
)

pytestmark = pytest.mark.anyio

LATER = {"delay_seconds": 3600}


async def failed(client: Any, number: int) -> tuple[str, list[Any]]:
    """Let tasks with a tag of their own fail for good; return the tag and the tasks."""
    tag = uuid4().hex
    said = {"message": "not worth it"}
    tasks = [await client.submit("tests.fatal", said, tags=[tag]) for _ in range(number)]
    for task in tasks:
        await client.wait(task, timeout=180)
    return tag, tasks


async def waiting(client: Any, number: int) -> tuple[str, list[Any]]:
    """Let tasks with a tag of their own wait; return the tag and the tasks."""
    tag = uuid4().hex
    echo = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": [tag], **LATER}
    return tag, await client.submit_many([echo] * number)


async def test_failed_tasks_are_retried_together(client: Any) -> None:
    tag, tasks = await failed(client, 3)
    count: BulkCount = await client.bulk("retry", status="failed", tag=tag, dry_run=True)
    assert (count.count, count.exact, count.by_status["failed"]) == (3, True, 3)
    assert count.by_status["queued"] == 0
    bulk = await client.bulk("retry", status="failed", tag=tag)
    assert (bulk.action, bulk.filter) == ("retry", {"status": ["failed"], "tag": [tag]})
    seen: list[BulkOperation] = []
    ended: BulkOperation = await bulk.wait(timeout=180, on_progress=seen.append)
    assert (ended.state, ended.matched, ended.done) == ("succeeded", 3, 3)
    assert (bulk.state, bulk.matched, bulk.done, bulk.skipped, bulk.failed) == (
        *("succeeded", 3, 3),
        *(0, 0),
    )
    assert bulk.final
    assert seen[-1] == ended == bulk.operation
    for task in tasks:
        assert (await client.wait(task, timeout=180)).attempt == 2


async def test_what_waits_is_changed_cancelled_and_deleted_together(client: Any) -> None:
    tag, tasks = await waiting(client, 4)
    await client.cancel(tasks[0])
    bulk = await client.bulk("update", tag=tag, changes={"priority": "urgent", "max_retries": 0})
    assert ((await bulk.wait(timeout=180)).done, bulk.skipped) == (3, 1)
    changed = await client.get(tasks[1])
    assert (changed.priority, changed.max_retries) == ("urgent", 0)
    await (await client.bulk("cancel", tag=[tag], status=["queued", "retrying"])).wait(timeout=180)
    assert {(await client.get(task)).status for task in tasks} == {"cancelled"}
    bulk = await client.bulk("delete", tag=tag, limit=3)
    assert ((await bulk.wait(timeout=180)).done, bulk.matched) == (3, 3)
    assert [task.id async for task in client.list(tag=tag)] == [tasks[3].id]


async def test_operations_are_listed_found_and_stopped(client: Any) -> None:
    bulk = await client.bulk("cancel", tag=uuid4().hex)
    await bulk.wait(timeout=180)
    newest = await anext(client.bulk_operations())
    assert (newest.id, newest.state, newest.operation.limit) == (bulk.id, "succeeded", 100_000)
    assert (await client.bulk_operation(bulk.id)).operation == bulk.operation
    stopped = await (await client.bulk_operation(bulk)).stop()
    assert stopped.state == "succeeded", "it had ended before"
    ids = [each.id async for each in client.bulk_operations(["running", "stopped"])]
    assert bulk.id not in ids
    with pytest.raises(NotFound, match="no bulk operation"):
        await client.bulk_operation(str(uuid4()))


async def test_the_same_key_is_the_same_operation(client: Any) -> None:
    key, tag = uuid4().hex, uuid4().hex
    first = await client.bulk("cancel", tag=tag, idempotency_key=key)
    assert (await client.bulk("cancel", tag=tag, idempotency_key=key)).id == first.id
    with pytest.raises(IdempotencyMismatch):
        await client.bulk("delete", tag=tag, idempotency_key=key)
    await first.wait(timeout=180)


async def test_a_wait_for_an_operation_has_a_deadline(client: Any) -> None:
    bulk = await client.bulk("cancel", tag=uuid4().hex)
    with suppress(BulkTimeout):  # it may have ended already
        await bulk.wait(timeout=0)
    assert (await bulk.wait(timeout=180)).finished_at is not None


async def test_operations_that_say_too_little_or_too_much_are_refused(client: Any) -> None:
    with pytest.raises(InvalidRequest, match="at least one filter"):
        await client.bulk("delete", status=None)
    with pytest.raises(InvalidRequest, match="'order'"):
        await client.bulk("delete", status="failed", order="created_at")
    with pytest.raises(ValidationFailed) as caught:
        await client.bulk("replay", status="failed")
    assert [each.pointer for each in caught.value.errors] == ["/action"]
    with pytest.raises(ValidationFailed):
        await client.bulk("update", status="failed")
    with pytest.raises(ValidationFailed) as caught:
        await client.bulk("delete", status="broken", limit=0)
    assert [each.pointer for each in caught.value.errors] == ["/filter/status/0", "/limit"]
