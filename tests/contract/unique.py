"""Unique work, against a whole running taskq and against the fake; see `suite`."""

from typing import Any
from uuid import uuid4

import pytest

from taskq_client import TaskFailed, UniqueConflict, ValidationFailed
from tests.contract.suite import until

pytestmark = pytest.mark.anyio

ECHO = "taskq.echo"
LATER = 3_600


async def test_a_second_submit_gets_the_task_that_waits(client: Any) -> None:
    key = uuid4().hex
    first = await client.submit(ECHO, {"value": 1}, unique_key=key, delay_seconds=LATER)
    assert (first.unique_key, first.conflict) == (key, False)
    second = await client.submit(ECHO, {"value": 2}, unique_key=key)
    assert (second.id, second.conflict, second.payload) == (first.id, True, {"value": 1})
    assert (await client.get(first)).version == first.version
    other = await client.submit(ECHO, {"value": 3}, unique_key=f"{key}.")
    assert (other.conflict, other.id != first.id) == (False, True)
    await client.cancel(first)


async def test_a_second_submit_gets_the_task_that_runs(client: Any) -> None:
    key = uuid4().hex
    first = await client.submit("taskq.sleep", {"seconds": 120}, unique_key=key)
    await until(lambda: client.get(first), lambda found: found.status == "running")
    for how in (None, "return", "replace"):
        again = await client.submit(
            "taskq.sleep", {"seconds": 1}, unique_key=key, on_conflict=how, delay_seconds=LATER
        )
        assert (again.id, again.conflict, again.status) == (first.id, True, "running")
        assert (again.payload, again.run_at) == ({"seconds": 120}, first.run_at)
    with pytest.raises(UniqueConflict) as caught:
        await client.submit("taskq.sleep", {"seconds": 1}, unique_key=key, on_conflict="reject")
    assert (caught.value.task_id, caught.value.task_status) == (first.id, "running")
    assert [error.pointer for error in caught.value.errors] == ["/unique_key"]
    await client.cancel(first)
    assert (await client.wait(first, timeout=180)).status == "cancelled"


async def test_replace_gives_the_waiting_task_the_newest_payload_and_start(client: Any) -> None:
    key = uuid4().hex
    said = {"unique_key": key, "on_conflict": "replace"}
    first = await client.submit(ECHO, {"value": 1}, title="One", delay_seconds=LATER, **said)
    second = await client.submit(ECHO, {"value": 2}, title="Two", delay_seconds=2 * LATER, **said)
    assert (second.id, second.conflict, second.payload) == (first.id, True, {"value": 2})
    assert (second.title, second.version) == ("One", first.version + 1)
    assert second.run_at > first.run_at
    third = await client.submit(ECHO, {"value": 3}, **said)
    assert third.id == first.id
    assert await third.result(timeout=180) == 3
    fourth = await client.submit(ECHO, {"value": 4}, delay_seconds=LATER, **said)
    assert (fourth.id != first.id, fourth.conflict) == (True, False)
    await client.cancel(fourth)


async def test_only_tasks_of_one_handler_replace_each_other(client: Any) -> None:
    key = uuid4().hex
    first = await client.submit(ECHO, {"value": 1}, unique_key=key, delay_seconds=LATER)
    with pytest.raises(UniqueConflict) as caught:
        await client.submit("tests.add", {"a": 1}, unique_key=key, on_conflict="replace")
    assert caught.value.task_id == first.id
    assert (await client.submit("tests.add", {"a": 1}, unique_key=key)).id == first.id
    await client.cancel(first)


async def test_every_end_frees_the_key(client: Any) -> None:
    key = uuid4().hex
    seen: set[str] = set()

    async def new(handler: str, payload: dict[str, object], **options: object) -> Any:
        task = await client.submit(handler, payload, unique_key=key, **options)
        assert not task.conflict
        assert task.id not in seen
        seen.add(task.id)
        return task

    await client.wait(await new(ECHO, {"value": 1}), timeout=180)
    failed = await new("tests.fatal", {"message": "no"})
    with pytest.raises(TaskFailed):
        await failed.result(timeout=180)
    exhausted = await new("taskq.flaky", {"failures": 9}, max_retries=0)
    assert (await client.wait(exhausted, timeout=180)).status == "failed"
    await client.cancel(await new(ECHO, {"value": 1}, delay_seconds=LATER))
    running = await new("taskq.sleep", {"seconds": 120})
    await until(lambda: client.get(running), lambda found: found.status == "running")
    await client.cancel(running)
    await client.wait(running, timeout=180)
    await client.delete(await new(ECHO, {"value": 1}, delay_seconds=LATER))
    late = await new("taskq.sleep", {"seconds": 120}, timeout_seconds=0.2, max_retries=0)
    assert (await client.wait(late, timeout=180)).status == "failed"
    await new(ECHO, {"value": 1})


async def test_a_retrying_task_keeps_its_key(client: Any) -> None:
    key = uuid4().hex
    task = await client.submit(
        "taskq.flaky", {"failures": 1}, unique_key=key, backoff_base_seconds=LATER
    )
    await until(lambda: client.get(task), lambda found: found.status == "retrying")
    again = await client.submit(
        "taskq.flaky", {"failures": 0}, unique_key=key, on_conflict="replace"
    )
    assert (again.id, again.conflict) == (task.id, True)
    final = await client.wait(again, timeout=180)
    assert (final.status, final.payload, final.result) == ("succeeded", {"failures": 0}, 2)


async def test_a_retry_takes_the_key_again_if_it_is_free(client: Any) -> None:
    key = uuid4().hex
    said = {"unique_key": key, "delay_seconds": LATER}
    first = await client.submit("taskq.sleep", {"seconds": 120}, **said)
    await client.cancel(first)
    second = await client.submit(ECHO, {"value": 2}, **said)
    assert second.id != first.id
    with pytest.raises(UniqueConflict) as caught:
        await client.retry(first)
    assert (caught.value.task_id, caught.value.task_status) == (second.id, "queued")
    assert (await client.get(first)).status == "cancelled"
    await client.delete(second)
    assert (await client.retry(first)).unique_key == key
    third = await client.submit(ECHO, {"value": 3}, unique_key=key)
    assert (third.id, third.conflict) == (first.id, True)
    await client.cancel(first)


async def test_a_bulk_retry_skips_tasks_whose_key_is_taken(client: Any) -> None:
    key, tag = uuid4().hex, uuid4().hex
    for value in (1, 2):
        task = await client.submit(
            ECHO, {"value": value}, unique_key=key, tags=[tag], delay_seconds=LATER
        )
        await client.cancel(task)
    bulk = await client.bulk("retry", tag=tag, status="cancelled")
    done = await bulk.wait(timeout=180)
    assert (done.matched, done.done, done.skipped) == (2, 1, 1)
    found = [task.status async for task in client.list(tag=tag)]
    assert len(found) == 2
    assert found.count("cancelled") == 1


async def test_in_a_batch_the_first_of_equal_keys_leads(client: Any) -> None:
    key, held = uuid4().hex, uuid4().hex
    holder = await client.submit(ECHO, {"value": 0}, unique_key=held, delay_seconds=LATER)

    def items(**second: object) -> list[dict[str, object]]:
        item = {"handler": ECHO, "delay_seconds": LATER}
        return [
            {**item, "payload": {"value": 1}},
            {**item, "payload": {"value": 2}, "unique_key": key},
            {**item, "payload": {"value": 3}, "unique_key": key, **second},
            {**item, "payload": {"value": 4}, "unique_key": held},
        ]

    with pytest.raises(UniqueConflict) as caught:
        await client.submit_many(items(on_conflict="reject"))
    assert [error.pointer for error in caught.value.errors] == ["/items/2/unique_key"]
    assert not (await client.submit(ECHO, {"value": 9}, unique_key=key)).conflict
    await until_free(client, key)
    one, two, three, four = await client.submit_many(items())
    assert (two.id, four.id) == (three.id, holder.id)
    assert one.id not in (two.id, four.id)
    assert (two.payload, four.payload) == ({"value": 2}, {"value": 0})
    assert [each.conflict for each in (one, three)] == [False, True]
    _, two, three, _ = await client.submit_many(items(on_conflict="replace"))
    assert (two.id, three.id) == (two.id, two.id)
    assert (await client.get(two)).payload == {"value": 3}
    with pytest.raises(UniqueConflict) as caught:
        await client.submit_many([*items(), {**items()[3], "on_conflict": "reject"}])
    assert caught.value.task_id == holder.id
    assert [error.pointer for error in caught.value.errors] == ["/items/4/unique_key"]
    for task in (one, two, holder):
        await client.cancel(task)


async def until_free(client: Any, key: str) -> None:
    task = await client.submit(ECHO, {"value": 1}, unique_key=key)
    await client.wait(task, timeout=180)


async def test_an_idempotency_key_counts_first(client: Any) -> None:
    key, once = uuid4().hex, uuid4().hex
    said = {"unique_key": key, "on_conflict": "reject"}
    first = await client.submit(ECHO, {"value": 1}, idempotency_key=once, **said)
    again = await client.submit(ECHO, {"value": 1}, idempotency_key=once, **said)
    assert (again.id, again.conflict) == (first.id, False)
    await client.wait(first, timeout=180)
    other = await client.submit(ECHO, {"value": 1}, delay_seconds=LATER, **said)
    again = await client.submit(ECHO, {"value": 1}, idempotency_key=once, **said)
    assert (again.id, again.status, again.conflict) == (first.id, "succeeded", False)
    await client.cancel(other)


async def test_run_waits_for_the_task_that_has_the_key(client: Any) -> None:
    key = uuid4().hex
    await client.submit(ECHO, {"value": 1}, unique_key=key, delay_seconds=5)
    assert await client.run(ECHO, {"value": 2}, unique_key=key, timeout=180) == 1


async def test_map_over_equal_keys_ends(client: Any) -> None:
    key = uuid4().hex
    payloads = [{"value": n} for n in range(3)]
    found = [task async for task in client.map(ECHO, payloads, unique_key=key, timeout=180)]
    assert [task.result for task in found] == [0]


async def test_a_handler_says_where_the_key_of_its_tasks_is(client: Any) -> None:
    to = uuid4().hex
    first = await client.submit("tests.mail", {"to": to}, delay_seconds=LATER)
    assert first.unique_key == f"tests.mail:{to}"
    assert (await client.submit("tests.mail", {"to": to})).id == first.id
    (item,) = await client.submit_many([{"handler": "tests.mail", "payload": {"to": to}}])
    assert (item.id, item.conflict) == (first.id, True)
    others = [await client.submit("tests.mail", delay_seconds=LATER) for _ in range(2)]
    assert [(one.unique_key, one.conflict) for one in others] == [(None, False)] * 2
    own = await client.submit("tests.mail", {"to": to}, unique_key=to, delay_seconds=LATER)
    assert (own.unique_key, own.conflict) == (to, False)
    (known,) = [each for each in await client.handlers() if each.name == "tests.mail"]
    assert known.unique_key == "/to"
    for task in (first, own, *others):
        await client.cancel(task)


@pytest.mark.parametrize("key", ["", " a", "a ", "a\nb", "k" * 129, 7])
async def test_what_is_no_key_is_refused(client: Any, key: object) -> None:
    with pytest.raises(ValidationFailed) as caught:
        await client.submit(ECHO, {"value": 1}, unique_key=key)
    assert [error.pointer for error in caught.value.errors] == ["/unique_key"]
    with pytest.raises(ValidationFailed) as caught:
        await client.submit(ECHO, {"value": 1}, unique_key="k", on_conflict="wait")
    assert [error.pointer for error in caught.value.errors] == ["/on_conflict"]
