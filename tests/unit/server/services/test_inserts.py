"""New rows, with keys that are new, taken, or taken by the same rows."""

import asyncio

import pytest
from sqlalchemy import event

from taskq_server.crud.tags import TagGone
from taskq_server.crud.tasks import NewRow
from taskq_server.domain.errors import IdempotencyMismatch
from taskq_server.domain.task import Task
from taskq_server.runtime import Runtime
from taskq_server.services.inserts import Inserts
from taskq_server.services.submission import IdempotencyKey
from tests.unit.server.factories import all_stored, make_task

KEY = IdempotencyKey("key", "body")


@pytest.fixture
def inserts(runtime: Runtime) -> Inserts:
    return Inserts(runtime.database, runtime.tracing, runtime.metrics.submits)


def row(task: Task, key: IdempotencyKey | None = KEY, position: int = 0) -> NewRow:
    if key is None:
        return NewRow(task)
    return NewRow(task, (), key.hash(position), key.fingerprint)


async def count(runtime: Runtime, *tasks: Task) -> int:
    return len(await all_stored(runtime.database, [task.id for task in tasks]))


@pytest.mark.parametrize("key", [None, KEY])
async def test_rows_whose_commit_was_not_heard_of_are_stored_once(
    runtime: Runtime, inserts: Inserts, key: IdempotencyKey | None
) -> None:
    tasks = [make_task(), make_task()]
    rows = [row(task, key, n) for n, task in enumerate(tasks)]
    assert await inserts.batch(rows, key) is None
    assert await inserts.batch(rows, key) is None
    assert await inserts.one(rows[0]) is None
    assert await count(runtime, *tasks) == 2


async def test_of_equal_keys_at_once_one_is_stored(runtime: Runtime, inserts: Inserts) -> None:
    tasks = [make_task() for _ in range(20)]
    holders = await asyncio.gather(*(inserts.one(row(task)) for task in tasks))
    assert await count(runtime, *tasks) == 1
    (winner,) = [task for task, holder in zip(tasks, holders, strict=True) if holder is None]
    assert {holder.task_id for holder in holders if holder is not None} == {winner.id}


async def test_a_taken_key_keeps_no_other_row_from_being_stored(
    runtime: Runtime, inserts: Inserts
) -> None:
    first, again, other = make_task(), make_task(), make_task()
    await inserts.one(row(first))
    held, new = await asyncio.gather(inserts.one(row(again)), inserts.one(row(other, None)))
    assert held is not None
    assert held.task_id == first.id
    assert new is None
    assert await count(runtime, again, other) == 1


async def test_a_batch_is_replayed_whole_or_refused_whole(
    runtime: Runtime, inserts: Inserts
) -> None:
    first, again = [make_task(), make_task()], [make_task(), make_task()]
    await inserts.batch([row(task, KEY, n) for n, task in enumerate(first)], KEY)
    replayed = await inserts.batch([row(task, KEY, n) for n, task in enumerate(again)], KEY)
    assert replayed is not None
    assert [each.task.id for each in replayed] == [task.id for task in first]
    other = IdempotencyKey("key", "other body")
    with pytest.raises(IdempotencyMismatch):
        await inserts.batch([row(task, other, n) for n, task in enumerate(again)], other)
    assert await count(runtime, *again) == 0


async def test_a_tag_that_is_not_there_is_no_taken_key(runtime: Runtime, inserts: Inserts) -> None:
    tried: list[object] = []
    event.listen(runtime.database.engine.sync_engine, "begin", tried.append)
    task = make_task()
    for store in (
        inserts.one(row(task)._replace(tag_ids=(99,))),
        inserts.batch([row(task)._replace(tag_ids=(99,))], KEY),
    ):
        with pytest.raises(TagGone):
            await store
    assert len(tried) == 2
    assert await count(runtime, task) == 0
