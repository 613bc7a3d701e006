"""What an application does with taskq, told as one story a test.

The suite runs against a whole running taskq and against the fake of `taskq_client.testing`, with
both clients: whoever collects it brings a fixture `client` whose methods are awaited.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
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
    UnexpectedResult,
    UnknownHandler,
    ValidationFailed,
    WaitTimeout,
)

pytestmark = pytest.mark.anyio

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
NO_HANDLER = {"handler": "nobody.has.this"}


@dataclass
class Report:
    at: datetime
    rows: tuple[int, int]


async def test_submit_and_wait(client: Any) -> None:
    task = await client.submit(
        "tests.add", {"a": 2, "b": 3}, title="Sum", priority="high", tags=["sums"], max_retries=5
    )
    assert (task.title, task.priority, task.tags, task.max_retries) == ("Sum", "high", ["sums"], 5)
    final = await client.wait(task, timeout=180)
    assert (final.status, final.result, final.attempt, final.errors) == ("succeeded", 5, 1, [])
    assert final.started_at <= final.finished_at


async def test_run_returns_the_result(client: Any) -> None:
    assert await client.run("taskq.echo", {"value": {"deep": [1, "é", None]}}, timeout=180) == {
        "deep": [1, "é", None]
    }


async def test_a_failing_task_is_tried_again_and_remembers_its_errors(client: Any) -> None:
    task = await client.submit("taskq.flaky", {"failures": 2}, backoff_base_seconds=0.01)
    final = await client.wait(task, timeout=180)
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
        await client.run("tests.fatal", {"message": "not worth it"}, timeout=180)
    assert [error.message for error in caught.value.task.errors] == ["not worth it"]


async def test_a_timeout_is_a_failure_like_any_other(client: Any) -> None:
    task = await client.submit(
        "taskq.sleep", {"seconds": 30}, timeout_seconds=0.1, max_retries=1,
        backoff_base_seconds=0.01,
    )  # fmt: skip
    final = await client.wait(task, timeout=180)
    assert final.status == "failed"
    assert [error.outcome for error in final.errors] == ["timed_out", "timed_out"]


async def test_cancel_a_task_that_waits(client: Any) -> None:
    task = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
    assert (await client.cancel(task)).status == "cancelled"
    assert (await client.cancel(task)).status == "cancelled"


async def test_run_says_that_its_task_was_cancelled(client: Any) -> None:
    title = uuid4().hex
    running = asyncio.ensure_future(
        client.run("taskq.sleep", {"seconds": 600}, title=title, timeout=180)
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
    await client.wait(task, timeout=180)
    again = await client.retry(task)
    assert again.status in ("queued", "running"), "a worker may be quick"
    assert again.current_retry_count == 0
    final = await client.wait(task, timeout=180)
    assert (final.status, final.attempt, len(final.errors)) == ("failed", 2, 2)
    succeeded = await client.wait(await client.submit("taskq.echo", {"value": 1}), timeout=180)
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
    final = await client.wait(task, timeout=180)
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


async def test_a_task_says_for_how_long_it_is_kept(client: Any) -> None:
    tag = uuid4().hex
    kept = await client.submit(
        "taskq.echo", {"value": 1}, keep_seconds=timedelta(days=90), tags=[tag]
    )
    other = await client.submit("taskq.echo", {"value": 1})
    assert (kept.keep_seconds, other.keep_seconds) == (7_776_000, None)
    assert (await client.wait(kept.id)).keep_seconds == 7_776_000
    (two, one) = await client.submit_many(
        [
            {"handler": "taskq.echo", "payload": {"value": 1}, "keep_seconds": n}
            for n in (2_000, None)
        ]
    )
    assert [(await client.get(each.id)).keep_seconds for each in (two, one)] == [2_000, None]
    assert [one.keep_seconds async for one in client.list(tag=tag)] == [None]  # only get says it
    with pytest.raises(ValidationFailed):
        await client.submit("taskq.echo", {"value": 1}, keep_seconds=0.5)


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


async def test_a_client_knows_who_it_is(client: Any) -> None:
    me = await client.whoami()
    assert (me.id, me.name, me.namespace, me.rate_limit) == (None, None, "default", None)
    assert {"tasks:read", "tasks:write", "tasks:run:*", "metrics:read", "admin"} <= set(me.scopes)


async def test_an_unknown_handler_is_refused(client: Any) -> None:
    with pytest.raises(UnknownHandler):
        await client.submit("nobody.has.this")


@pytest.mark.parametrize("text", ["a\0b", "a\x1bb", "a\x85b", "a\u202eb", "\u2066a\u2069"])
async def test_texts_that_steer_a_terminal_are_refused(client: Any, text: str) -> None:
    for field, value in (("title", text), ("description", text), ("tags", ["a", text])):
        with pytest.raises(ValidationFailed):
            await client.submit("taskq.echo", {"value": 1}, **{field: value})
        task = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
        with pytest.raises(ValidationFailed):
            await client.update(task, **{field: value})


@pytest.mark.parametrize("text", ["\0", "a\0", "a\x1b"])
async def test_no_filter_takes_what_no_task_has(client: Any, text: str) -> None:
    for pointer in ("q", "error_type", "tag/0", "handler/0", "queue/0"):
        name = pointer.partition("/")[0]
        with pytest.raises(ValidationFailed) as caught:
            [task async for task in client.list(**{name: text})]
        assert [error.pointer for error in caught.value.errors] == [f"/query/{pointer}"]
        if name in ("handler", "queue"):
            with pytest.raises(ValidationFailed) as caught:
                await client.submit(**{"handler": "taskq.echo", name: text})
            assert [error.pointer for error in caught.value.errors] == [f"/{name}"]


async def test_a_wait_that_is_too_long_carries_the_last_snapshot(client: Any) -> None:
    task = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
    with pytest.raises(WaitTimeout) as caught:
        await client.wait(task, timeout=0.2)
    assert caught.value.task.id == task.id
    assert (await client.get(task)).status == "queued"


async def test_progress_is_seen(client: Any) -> None:
    final = await client.wait(await client.submit("tests.progress", {"steps": 3}), timeout=180)
    progress = final.progress
    assert (progress.current, progress.total, progress.message) == (3, 3, "step 3")


async def test_a_handle_knows_how_its_task_stands(client: Any) -> None:
    handle = await client.submit("tests.add", {"a": 2}, tags=["handled"])
    assert (handle.status, handle.tags) == ("queued", ["handled"])
    final = await handle.wait(timeout=180)
    assert (final.result, handle.status, handle.final) == (3, "succeeded", True)
    assert await handle.result(type_=int) == 3
    assert (await handle.refresh()).version == handle.version
    with pytest.raises(InvalidTransition):
        await handle.retry()


async def test_a_handle_cancels(client: Any) -> None:
    handle = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
    assert (await handle.cancel()).status == handle.status == "cancelled"
    with pytest.raises(TaskCancelled):
        await handle.result(timeout=180)


async def test_a_result_is_what_it_is_said_to_be(client: Any) -> None:
    value = {"at": "2026-10-01T00:00:00Z", "rows": [1, 2]}
    report = await client.run("taskq.echo", {"value": value}, returns=Report, timeout=180)
    assert report == Report(datetime(2026, 10, 1, tzinfo=UTC), (1, 2))
    with pytest.raises(UnexpectedResult):
        await client.run("taskq.echo", {"value": 1}, returns=Report, timeout=180)


async def test_a_stream_begins_with_a_state_and_ends_with_the_final_one(client: Any) -> None:
    task = await client.submit("tests.progress", {"steps": 3})
    states = [state async for state in client.stream(task, timeout=180)]
    versions = [state.version for state in states]
    assert versions == sorted(set(versions))
    assert [state.final for state in states] == [False] * (len(states) - 1) + [True]
    assert states[-1].result == 3
    again = [state async for state in client.stream(task, timeout=180)]
    assert again == states[-1:]
    with pytest.raises(NotFound):
        await anext(client.stream(NOBODY))


async def test_a_stream_has_a_deadline(client: Any) -> None:
    task = await client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
    states = client.stream(task, timeout=0.3)
    assert (await anext(states)).id == task.id
    with pytest.raises(WaitTimeout):
        await anext(states)


async def test_progress_is_told_while_it_is_made(client: Any) -> None:
    told: list[Any] = []
    steps = await client.run("tests.progress", {"steps": 3}, on_progress=told.append, timeout=180)
    assert steps == 3
    assert [step.total for step in told] == [3] * len(told)
    assert told[-1].current == 3


async def test_what_a_submit_leaves_out_its_handler_says(client: Any) -> None:
    task = (await client.submit("tests.mail", delay_seconds=3600)).task
    assert (task.queue, task.priority, task.tags) == ("default", "low", ["mail"])
    said = {"handler": "tests.mail", "priority": "high", "tags": [], "delay_seconds": 3600}
    (handle,) = await client.submit_many([said])
    task = handle.task
    assert (task.queue, task.priority, task.tags) == ("default", "high", [])
    task = await client.update(task, priority=None, tags=None)
    assert (task.priority, task.tags) == ("low", ["mail"])
    (known,) = [each for each in await client.handlers() if each.name == "tests.mail"]
    assert (known.queue, known.priority, known.tags) == ("default", "low", ["mail"])


async def test_what_breaks_the_rules_is_refused_with_a_pointer(client: Any) -> None:
    with pytest.raises(ValidationFailed) as caught:
        await client.submit("taskq.echo", {"value": 1}, max_retries=101)
    assert [error.pointer for error in caught.value.errors] == ["/max_retries"]
    with pytest.raises(UnknownHandler) as unknown:
        await client.submit_many([{"handler": "taskq.echo", "payload": {"value": 1}}, NO_HANDLER])
    assert [error.pointer for error in unknown.value.errors] == ["/items/1/handler"]
    assert unknown.value.request_id
