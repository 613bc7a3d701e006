"""The same submit twice is one task."""

import asyncio
from typing import Any

import pytest

from taskq_server.crud.tables import task_tags
from taskq_server.crud.tables import tasks as tasks_table
from taskq_server.domain.errors import IdempotencyMismatch, TaskNotFound
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import TaskCreate
from taskq_server.services.submit import IdempotencyKey, Submitted, SubmittedBatch
from tests.support.callers import CALLER
from tests.unit.server.factories import publish, rows_of


@pytest.fixture(autouse=True)
async def echo(runtime: Runtime) -> None:
    await publish(runtime.database, "taskq.echo")


def body(value: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"handler": "taskq.echo", "payload": {"value": value}, **fields}


async def submit(runtime: Runtime, key: str, sent: dict[str, Any]) -> Submitted:
    new = TaskCreate.model_validate(sent).as_new_task()
    return await runtime.submit.one(CALLER, new, key=IdempotencyKey.of(key, sent))


async def submit_batch(runtime: Runtime, key: str, *sent: dict[str, Any]) -> SubmittedBatch:
    items = [TaskCreate.model_validate(one).as_new_task() for one in sent]
    return await runtime.submit.batch(
        CALLER, items, key=IdempotencyKey.of(key, {"items": list(sent)})
    )


async def count(runtime: Runtime) -> int:
    return len(await rows_of(runtime.database, tasks_table))


async def test_a_second_submit_is_a_replay_of_the_first(runtime: Runtime) -> None:
    first = await submit(runtime, "key", body(tags=["a"]))
    again = await submit(runtime, "key", body(tags=["a"]))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.details == first.details
    assert await count(runtime) == 1


async def test_a_replay_shows_the_task_as_it_is_now(runtime: Runtime) -> None:
    first = await submit(runtime, "key", body())
    await runtime.change.cancel(CALLER, first.details.task.id)
    again = await submit(runtime, "key", body())
    assert again.details.task.status == "cancelled"


async def test_the_order_of_keys_in_the_body_is_no_difference(runtime: Runtime) -> None:
    sent = body()
    first = await submit(runtime, "key", sent)
    again = await submit(runtime, "key", dict(reversed(sent.items())))
    assert again.details.task.id == first.details.task.id


@pytest.mark.parametrize("other", [body(2), body(title="x"), body(1.0), body("1"), body(True)])
async def test_the_same_key_with_another_body_is_a_mismatch(
    runtime: Runtime, other: dict[str, Any]
) -> None:
    first = await submit(runtime, "key", body())
    with pytest.raises(IdempotencyMismatch):
        await submit(runtime, "key", other)
    assert await count(runtime) == 1
    assert await runtime.read.get(CALLER, first.details.task.id) == first.details


async def test_other_keys_and_no_key_are_other_tasks(runtime: Runtime) -> None:
    await submit(runtime, "key", body())
    await submit(runtime, "Key", body())
    await submit(runtime, "key ", body())
    for _ in range(2):
        await runtime.submit.one(CALLER, TaskCreate.model_validate(body()).as_new_task())
    assert await count(runtime) == 5


async def test_fifty_at_once_with_one_key_are_one_task(runtime: Runtime) -> None:
    sent = body(tags=["a", "b"])
    answers = await asyncio.gather(*(submit(runtime, "key", sent) for _ in range(50)))
    assert len({answer.details.task.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await count(runtime) == 1
    assert len(await rows_of(runtime.database, task_tags)) == 2


async def test_a_race_of_different_bodies_has_one_winner(runtime: Runtime) -> None:
    answers = await asyncio.gather(
        *(submit(runtime, "key", body(n)) for n in range(20)), return_exceptions=True
    )
    won = [answer for answer in answers if isinstance(answer, Submitted)]
    lost = [answer for answer in answers if isinstance(answer, IdempotencyMismatch)]
    assert (len(won), len(lost)) == (1, 19)
    assert await count(runtime) == 1


async def test_the_key_itself_is_not_stored(runtime: Runtime) -> None:
    await submit(runtime, "my secret key", body())
    (row,) = await rows_of(runtime.database, tasks_table)
    assert "my secret key" not in str(row)
    assert len(row["idempotency_hash"]) == len(row["fingerprint"]) == 64


async def test_a_deleted_task_frees_its_key(runtime: Runtime) -> None:
    first = await submit(runtime, "key", body())
    await runtime.change.delete(CALLER, first.details.task.id)
    again = await submit(runtime, "key", body())
    assert not again.replayed
    assert again.details.task.id != first.details.task.id
    with pytest.raises(TaskNotFound):
        await runtime.read.get(CALLER, first.details.task.id)


async def test_a_batch_is_replayed_as_a_whole(runtime: Runtime) -> None:
    sent = [body(n, tags=[f"t{n}"]) for n in range(5)]
    first = await submit_batch(runtime, "key", *sent)
    again = await submit_batch(runtime, "key", *sent)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.details == first.details
    assert await count(runtime) == 5


@pytest.mark.parametrize("change", ["longer", "shorter", "other"])
async def test_a_batch_with_another_body_is_a_mismatch(runtime: Runtime, change: str) -> None:
    sent = [body(n) for n in range(3)]
    await submit_batch(runtime, "key", *sent)
    other = {"longer": [*sent, body(3)], "shorter": sent[:2], "other": [*sent[:2], body(9)]}
    with pytest.raises(IdempotencyMismatch):
        await submit_batch(runtime, "key", *other[change])
    assert await count(runtime) == 3


async def test_a_batch_and_a_single_submit_do_not_share_a_key(runtime: Runtime) -> None:
    await submit(runtime, "key", body())
    with pytest.raises(IdempotencyMismatch):
        await submit_batch(runtime, "key", body(), body())
    assert await count(runtime) == 1


async def test_twenty_equal_batches_at_once_are_one(runtime: Runtime) -> None:
    sent = [body(n) for n in range(4)]
    answers = await asyncio.gather(*(submit_batch(runtime, "key", *sent) for _ in range(20)))
    assert len({tuple(s.task.id for s in answer.details) for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await count(runtime) == 4
