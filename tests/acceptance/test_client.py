"""What an application does with taskq, told as one story a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from taskq_client import (
    IdempotencyMismatch,
    InvalidTransition,
    NotFound,
    PreconditionFailed,
    TaskCancelled,
    TaskFailed,
    UnknownHandler,
    ValidationFailed,
    WaitTimeout,
)

pytestmark = pytest.mark.anyio


async def test_submit_and_wait(client: Any) -> None:
    task = await client.submit(
        "tests.add", {"a": 2, "b": 3}, title="Sum", priority="high", tags=["sums"], max_retries=5
    )
    assert (task.title, task.priority, task.tags, task.max_retries) == ("Sum", "high", ["sums"], 5)
    final = await client.wait(task, timeout=30)
    assert (final.status, final.result, final.attempt, final.errors) == ("succeeded", 5, 1, [])
    assert final.started_at <= final.finished_at


async def test_run_returns_the_result(client: Any) -> None:
    assert await client.run("taskq.echo", {"value": {"deep": [1, "é", None]}}, timeout=30) == {
        "deep": [1, "é", None]
    }


async def test_a_failing_task_is_tried_again_and_remembers_its_errors(client: Any) -> None:
    task = await client.submit("taskq.flaky", {"failures": 2}, backoff_base_seconds=0.01)
    final = await client.wait(task, timeout=30)
    assert (final.status, final.result, final.current_retry_count) == ("succeeded", 3, 2)
    assert [error.attempt for error in final.errors] == [1, 2]
    assert final.errors[0].type == "RuntimeError"
    assert "fail on purpose" in final.errors[0].traceback
    outcomes = [attempt.outcome for attempt in await client.attempts(task)]
    assert outcomes == ["failed", "failed", "succeeded"]


async def test_retries_run_out(client: Any) -> None:
    with pytest.raises(TaskFailed) as caught:
        await client.run(
            "taskq.flaky", {"failures": 5}, max_retries=1, backoff_base_seconds=0.01, timeout=30
        )
    failed = caught.value.task
    assert (failed.status, failed.current_retry_count, len(failed.errors)) == ("failed", 1, 2)


async def test_a_fatal_error_is_not_tried_again(client: Any) -> None:
    with pytest.raises(TaskFailed) as caught:
        await client.run("tests.fatal", {"message": "not worth it"}, timeout=30)
    assert [error.message for error in caught.value.task.errors] == ["not worth it"]


async def test_a_timeout_is_a_failure_like_any_other(client: Any) -> None:
    task = await client.submit(
        "taskq.sleep", {"seconds": 30}, timeout_seconds=0.1, max_retries=1,
        backoff_base_seconds=0.01,
    )  # fmt: skip
    final = await client.wait(task, timeout=30)
    assert final.status == "failed"
    assert [error.outcome for error in final.errors] == ["timed_out", "timed_out"]


async def test_cancel_a_task_that_waits(client: Any) -> None:
    task = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
    assert (await client.cancel(task)).status == "cancelled"
    assert (await client.cancel(task)).status == "cancelled"


@pytest.mark.parametrize(
    ("handler", "payload"), [("taskq.sleep", {"seconds": 60}), ("tests.thread", {"seconds": 60})]
)
async def test_cancel_reaches_a_running_handler(
    client: Any, handler: str, payload: dict[str, object]
) -> None:
    task = await client.submit(handler, payload)
    await until(lambda: client.get(task), lambda found: found.status == "running")
    asked = await client.cancel(task)
    assert asked.cancel_requested_at is not None
    assert (await client.wait(task, timeout=5)).status == "cancelled"


async def test_run_says_that_its_task_was_cancelled(client: Any) -> None:
    title = uuid4().hex
    running = asyncio.ensure_future(
        client.run("taskq.sleep", {"seconds": 60}, title=title, timeout=30)
    )
    found = await until(lambda: first(client.list(q=title)), lambda task: task is not None)
    await client.cancel(found)
    with pytest.raises(TaskCancelled):
        await running


async def first(tasks: AsyncIterator[Any]) -> Any:
    return await anext(tasks, None)


async def until(ask: Callable[[], Awaitable[Any]], accept: Callable[[Any], bool]) -> Any:
    """Ask again and again, for ten seconds at most, and return what is accepted."""
    for _ in range(500):
        if accept(found := await ask()):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within ten seconds: {found}")


async def test_a_person_retries(client: Any) -> None:
    task = await client.submit("tests.fatal", {})
    await client.wait(task, timeout=30)
    again = await client.retry(task)
    assert (again.status, again.current_retry_count) == ("queued", 0)
    final = await client.wait(task, timeout=30)
    assert (final.status, final.attempt, len(final.errors)) == ("failed", 2, 2)
    succeeded = await client.wait(await client.submit("taskq.echo", {"value": 1}), timeout=30)
    with pytest.raises(InvalidTransition):
        await client.retry(succeeded)


async def test_update_what_may_be_changed(client: Any) -> None:
    task = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600, tags=["a"])
    changed = await client.update(task, title="New", tags=["b", "c"], priority="urgent")
    assert (changed.title, changed.tags, changed.priority) == ("New", ["b", "c"], "urgent")
    assert changed.version > task.version
    with pytest.raises(PreconditionFailed):
        await client.update(task, title="Newer", if_match=task.version)
    await client.update(task, run_at=None)
    final = await client.wait(task, timeout=30)
    assert final.status == "succeeded"
    with pytest.raises(InvalidTransition):
        await client.update(task, priority="low")


async def test_delete(client: Any) -> None:
    task = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
    await client.delete(task)
    with pytest.raises(NotFound):
        await client.get(task)
    with pytest.raises(NotFound):
        await client.delete(task)


async def test_not_before_its_time(client: Any) -> None:
    run_at = datetime.now(UTC) + timedelta(seconds=1)
    final = await client.wait(
        await client.submit("taskq.echo", {"value": 1}, run_at=run_at), timeout=30
    )
    assert final.started_at >= run_at


async def test_the_same_key_is_the_same_task(client: Any) -> None:
    key = uuid4().hex
    first = await client.submit("taskq.echo", {"value": 1}, idempotency_key=key)
    second = await client.submit("taskq.echo", {"value": 1}, idempotency_key=key)
    assert first.id == second.id
    with pytest.raises(IdempotencyMismatch):
        await client.submit("taskq.echo", {"value": 2}, idempotency_key=key)


async def test_fifty_at_once_with_one_key_are_one_task(client: Any) -> None:
    key = uuid4().hex
    submits = [
        client.submit("taskq.echo", {"value": 1}, idempotency_key=key, title=key) for _ in range(50)
    ]
    assert len({task.id for task in await asyncio.gather(*submits)}) == 1
    assert len([task async for task in client.list(q=key)]) == 1


async def test_submit_many_and_list_by_tag(client: Any) -> None:
    tag = uuid4().hex
    items = [
        {"handler": "taskq.echo", "payload": {"value": n}, "tags": [tag], "title": f"n{n:04}"}
        for n in range(120)
    ]
    submitted = await client.submit_many(items)
    assert [task.title for task in submitted] == [item["title"] for item in items]
    listed = [task async for task in client.list(tag=[tag], limit=50)]
    assert [task.id for task in listed] == [task.id for task in reversed(submitted)]
    for task in submitted:
        assert (await client.wait(task, timeout=30)).status == "succeeded"
    done = [task async for task in client.list(tag=[tag], status=["succeeded"], limit=200)]
    assert len(done) == 120
    assert [task async for task in client.list(tag=[tag], status=["failed"])] == []


async def test_a_bad_item_stores_nothing(client: Any) -> None:
    tag = uuid4().hex
    good = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": [tag]}
    bad = {"handler": "taskq.sleep", "payload": {"seconds": "long"}, "tags": [tag]}
    with pytest.raises(ValidationFailed) as caught:
        await client.submit_many([good, bad])
    assert caught.value.errors[0].pointer == "/items/1/payload/seconds"
    assert [task async for task in client.list(tag=[tag])] == []


async def test_an_unknown_handler_is_refused(client: Any) -> None:
    with pytest.raises(UnknownHandler):
        await client.submit("nobody.has.this")


async def test_a_wait_that_is_too_long_carries_the_last_snapshot(client: Any) -> None:
    task = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
    with pytest.raises(WaitTimeout) as caught:
        await client.wait(task, timeout=0.2)
    assert caught.value.task.id == task.id
    assert (await client.get(task)).status == "queued"


async def test_progress_is_seen(client: Any) -> None:
    final = await client.wait(await client.submit("tests.progress", {"steps": 3}), timeout=30)
    progress = final.progress
    assert (progress.current, progress.total, progress.message) == (3, 3, "step 3")


async def test_children_of_a_task(client: Any) -> None:
    parent = await client.wait(await client.submit("tests.parent", {"children": 3}), timeout=30)
    assert parent.status == "succeeded"
    children = [await client.wait(child, timeout=30) for child in parent.result]
    assert [child.result for child in children] == [0, 1, 2]


async def test_handlers_tags_and_health(client: Any) -> None:
    handlers = {handler.name: handler for handler in await client.handlers()}
    assert {"taskq.echo", "taskq.sleep", "taskq.flaky", "tests.add"} <= handlers.keys()
    assert handlers["tests.add"].payload_schema["required"] == ["a"]
    assert handlers["tests.add"].workers == 1
    tag = uuid4().hex
    await client.submit("taskq.echo", {"value": 1}, tags=[tag])
    assert [found.count for found in await client.tags() if found.name == tag] == [1]
    assert (await client.health()).ready
