"""New rows, with keys that are new, taken, or taken by the same rows."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import event, select

from taskq_server.crud.tables import unique_keys
from taskq_server.crud.tags import TagGone
from taskq_server.crud.tasks import KeyHolder, NewRow
from taskq_server.domain.errors import IdempotencyMismatch, UniqueConflict
from taskq_server.domain.ids import IdSource, Mark
from taskq_server.domain.task import Status, Task
from taskq_server.domain.unique import Holder, OnConflict, UniqueKey
from taskq_server.runtime import Runtime
from taskq_server.services.inserts import Inserts
from taskq_server.services.storing import Answer, StoredBatch
from taskq_server.services.submission import IdempotencyKey
from taskq_server.services.unique import Conflict
from tests.support.callers import CALLER
from tests.unit.server.factories import NOW, all_stored, make_task

KEY = IdempotencyKey("key", "body")
_new_id = IdSource()


@pytest.fixture
def inserts(runtime: Runtime) -> Inserts:
    return Inserts(runtime.database, runtime.tracing, runtime.metrics.submits)


def row(task: Task, key: IdempotencyKey | None = KEY, position: int = 0) -> NewRow:
    if key is None:
        return NewRow(task)
    return NewRow(task, (), key.hash(position), key.fingerprint)


def id_of(answer: Answer) -> UUID:
    """The id of the task that holds an idempotency key."""
    assert isinstance(answer, KeyHolder)
    return answer.task_id


def unique_row(text: str, key: IdempotencyKey | None = None) -> NewRow:
    made = row(make_task(id=_new_id(NOW, Mark.UNIQUE)), key)
    return made._replace(unique=UniqueKey(text))


async def held(runtime: Runtime) -> set[UUID]:
    rows = await runtime.database.read(lambda c: c.execute(select(unique_keys.c.task_id)))
    return set(rows.scalars())


async def count(runtime: Runtime, *tasks: Task) -> int:
    return len(await all_stored(runtime.database, [task.id for task in tasks]))


@pytest.mark.parametrize("key", [None, KEY])
async def test_rows_whose_commit_was_not_heard_of_are_stored_once(
    runtime: Runtime, inserts: Inserts, key: IdempotencyKey | None
) -> None:
    tasks = [make_task(), make_task()]
    rows = [row(task, key, n) for n, task in enumerate(tasks)]
    assert await inserts.batch(rows, key) == StoredBatch()
    assert await inserts.batch(rows, key) == StoredBatch()
    assert await inserts.one(rows[0]) is None
    assert await count(runtime, *tasks) == 2


async def test_of_equal_keys_at_once_one_is_stored(runtime: Runtime, inserts: Inserts) -> None:
    tasks = [make_task() for _ in range(20)]
    holders = await asyncio.gather(*(inserts.one(row(task)) for task in tasks))
    assert await count(runtime, *tasks) == 1
    (winner,) = [task for task, holder in zip(tasks, holders, strict=True) if holder is None]
    assert {id_of(holder) for holder in holders if holder is not None} == {winner.id}


async def test_a_taken_key_keeps_no_other_row_from_being_stored(
    runtime: Runtime, inserts: Inserts
) -> None:
    first, again, other = make_task(), make_task(), make_task()
    await inserts.one(row(first))
    held, new = await asyncio.gather(inserts.one(row(again)), inserts.one(row(other, None)))
    assert id_of(held) == first.id
    assert new is None
    assert await count(runtime, again, other) == 1


async def test_a_batch_is_replayed_whole_or_refused_whole(
    runtime: Runtime, inserts: Inserts
) -> None:
    first, again = [make_task(), make_task()], [make_task(), make_task()]
    await inserts.batch([row(task, KEY, n) for n, task in enumerate(first)], KEY)
    replayed = await inserts.batch([row(task, KEY, n) for n, task in enumerate(again)], KEY)
    assert not replayed.conflicts
    found = [replayed.replays[task.id].task.id for task in again]
    assert found == [task.id for task in first]
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


async def test_a_unique_row_whose_commit_was_not_heard_of_keeps_its_key(
    runtime: Runtime, inserts: Inserts
) -> None:
    for one in (unique_row("a"), unique_row("b", KEY)):
        for _ in range(2):
            assert await inserts.one(one) is None
        assert await inserts.batch([one], KEY if one.key else None) == StoredBatch()
        assert one.task.id in await held(runtime)
    assert len(await held(runtime)) == 2


async def test_a_unique_row_that_has_ended_unheard_takes_no_key_again(
    runtime: Runtime, inserts: Inserts
) -> None:
    one = unique_row("a")
    assert await inserts.one(one) is None
    await runtime.change.cancel(CALLER, one.task.id)
    assert await inserts.one(one) is None
    assert await held(runtime) == set()


@pytest.mark.parametrize("texts", [("a", "b"), ("b", "a"), ("a", "a")])
async def test_rows_of_one_idempotency_key_leave_no_unique_key_without_a_task(
    runtime: Runtime, inserts: Inserts, texts: tuple[str, str]
) -> None:
    leading = unique_row("other")  # while it is stored, the others become one group
    rows = [unique_row(text, KEY) for text in (*texts, *texts)]
    answers = await asyncio.gather(*(inserts.one(one) for one in (leading, *rows)))
    stored = {one.task.id for one, answer in zip(rows, answers[1:], strict=True) if answer is None}
    assert len(stored) == 1
    assert {id_of(answer) for answer in answers if answer is not None} == stored
    assert await held(runtime) == stored | {leading.task.id}


async def test_in_one_group_a_unique_key_that_is_lost_fails_nobody(
    runtime: Runtime, inserts: Inserts
) -> None:
    first = unique_row("a")
    await inserts.one(first)
    rows = [unique_row("a"), unique_row("b"), row(make_task(), None), unique_row("b")]
    rows[3] = rows[3]._replace(unique=UniqueKey("b", OnConflict.REJECT))
    answers = await asyncio.gather(*map(inserts.one, rows), return_exceptions=True)
    assert isinstance(answers[0], Conflict)
    assert answers[0].details.task.id == first.task.id
    assert answers[1:3] == [None, None]
    assert isinstance(answers[3], UniqueConflict)
    assert answers[3].holder == Holder(rows[1].task.id, Status.QUEUED)
    assert await count(runtime, *(one.task for one in rows)) == 2
    assert await held(runtime) == {first.task.id, rows[1].task.id}
