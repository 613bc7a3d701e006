"""What an application does with many tasks."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from taskq_client import (
    IdempotencyMismatch,
    NotFound,
    ValidationFailed,
    WaitTimeout,
)
from tests.contract.suite import NOBODY

pytestmark = pytest.mark.anyio


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
        assert (await client.wait(task, timeout=180)).status == "succeeded"
    done = [task async for task in client.list(tag=[tag], status=["succeeded"], limit=200)]
    assert len(done) == 120
    assert [task async for task in client.list(tag=[tag], status=["failed"])] == []


async def test_what_failed_alike_is_found(client: Any) -> None:
    tag = uuid4().hex
    options = {"max_retries": 1, "backoff_base_seconds": 0.01, "tags": [tag]}
    tasks = [await client.submit("taskq.flaky", {"failures": n}, **options) for n in (5, 1)]
    failed, mended = [await client.wait(task, timeout=180) for task in tasks]
    assert (failed.status, mended.status) == ("failed", "succeeded")

    async def found(**filters: Any) -> list[str]:
        return [task.id async for task in client.list(tag=tag, **filters)]

    assert await found(error_type="RuntimeError") == [failed.id]
    assert await found(error_type="RuntimeError", status="succeeded") == []
    assert await found(error_type="NoSuchError") == []
    assert await found(attempt_min=2) == [mended.id, failed.id]
    assert await found(attempt_min=3) == []
    at, after = failed.finished_at, failed.finished_at + timedelta(microseconds=1)
    assert failed.id in await found(finished_after=at, finished_before=after)
    assert failed.id not in await found(finished_after=after)
    assert failed.id not in await found(finished_before=at)
    names = {"handler": ["taskq.echo", "taskq.flaky"], "queue": ["nowhere", "default"]}
    assert await found(**names) == [mended.id, failed.id]


async def test_a_task_is_found_by_how_its_id_begins(client: Any) -> None:
    item = {"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 3600}
    tasks = await client.submit_many([item] * 300)
    for length in (1, 8, 13, 30, 35, 36):
        prefix = tasks[150].id[:length]
        alike = [task.id for task in tasks if task.id.startswith(prefix)]
        found = [task.id async for task in client.list(id=prefix, order="created_at")]
        assert [id_ for id_ in found if id_ in alike] == alike
        assert all(id_.startswith(prefix) for id_ in found)
    with pytest.raises(ValidationFailed) as caught:
        [task async for task in client.list(id="01A")]
    assert [error.pointer for error in caught.value.errors] == ["/query/id"]


async def test_many_are_waited_for_together(client: Any) -> None:
    slow = await client.submit("taskq.echo", {"value": 0}, delay_seconds=1)
    quick = await client.submit_many([{"handler": "taskq.echo", "payload": {"value": 1}}] * 3)
    done = await client.wait_all([slow, *quick, slow.id], timeout=180)
    assert [task.result for task in done] == [0, 1, 1, 1, 0]
    assert [task.id for task in done][:2] == [slow.id, quick[0].id]
    with pytest.raises(NotFound):
        await client.wait_all([slow, NOBODY], timeout=180)


async def test_the_first_to_end_comes_first(client: Any) -> None:
    never = await client.submit("taskq.echo", {"value": 0}, delay_seconds=3600)
    slow = await client.submit("taskq.echo", {"value": 1}, delay_seconds=1)
    quick = await client.submit("taskq.echo", {"value": 2})
    completed = client.as_completed([never, slow, quick], timeout=3)
    assert [(await anext(completed)).result for _ in range(2)] == [2, 1]
    with pytest.raises(WaitTimeout) as caught:
        await anext(completed)
    assert caught.value.task.id == never.id


async def test_a_map_hands_out_each_task_as_it_ends(client: Any) -> None:
    tag = uuid4().hex
    payloads = ({"a": n} for n in range(30))
    done = [task async for task in client.map("tests.add", payloads, tags=[tag], timeout=180)]
    assert sorted(task.result for task in done) == list(range(1, 31))
    assert [found.count for found in await client.tags() if found.name == tag] == [30]


async def test_stats_count_the_tasks_of_each_queue(client: Any) -> None:
    name = uuid4().hex
    options = {"queue": name, "delay_seconds": 3600}
    later = [await client.submit("taskq.echo", {"value": n}, **options) for n in range(3)]
    await client.cancel(later[0])
    await client.delete(later[1])
    found = await client.stats()
    (queue,) = (each for each in found.queues if each.name == name)
    none = {"running": 0, "retrying": 0, "succeeded": 0, "failed": 0}
    assert queue.tasks == {"queued": 1, "cancelled": 1, **none}
    assert (queue.depth, queue.oldest_age_seconds) == (1, None)
    assert [each.name for each in found.queues] == sorted(each.name for each in found.queues)
    assert found.tasks["cancelled"] == sum(each.tasks["cancelled"] for each in found.queues)
    assert found.workers >= 1
    await client.delete(later[0])
    await client.delete(later[2])
    assert name not in {each.name for each in (await client.stats()).queues}


async def test_many_submits_report_and_repeat_nothing(client: Any) -> None:
    key, stored = uuid4().hex, []
    items = [{"handler": "taskq.echo", "payload": {"value": n}} for n in range(1500)]
    first = await client.submit_many(items, idempotency_key=key, on_stored=stored.append)
    second = await client.submit_many(items, idempotency_key=key)
    assert stored == [1000, 1500]
    assert [task.id for task in second] == [task.id for task in first]
    with pytest.raises(IdempotencyMismatch):
        await client.submit_many(items[1:], idempotency_key=key)
