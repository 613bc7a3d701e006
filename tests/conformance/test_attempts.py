"""Claims, ends, progress and pending hooks: what the rows say afterwards."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import pytest

from taskq_server.core.database import Database
from taskq_server.crud import claims, hooks, tasks
from taskq_server.crud.tables import ATTEMPT_FIELDS
from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.task import Outcome, Priority, Status, Task, score
from tests.unit.server.factories import (
    NOW,
    OTHER_WORKER,
    WORKER,
    all_stored,
    make_task,
    rows_of,
    running,
    seconds,
    store,
    stored,
)
from tests.unit.server.rows import end, end_all

LATER = NOW + seconds(5)


def failed(task: Task, *, fatal: bool = False, after: float | None = None) -> AttemptEnded:
    failure = Failure(
        outcome=Outcome.FAILED,
        type="ValueError",
        message="broken",
        traceback="line 1",
        fatal=fatal,
        retry_after=after,
    )
    return lifecycle.fail(task, failure, backoff=Backoff(), random=lambda: 0.5, now=LATER)


async def test_a_claim_in_the_row_is_the_claim_of_the_lifecycle(database: Database) -> None:
    waiting = [
        make_task(),
        make_task(Status.RETRYING, attempt=3, current_retry_count=2, run_at=NOW, version=8),
    ]
    bystander = make_task()
    await store(database, *waiting, bystander)
    await database.write(
        lambda c: claims.mark_claimed(c, waiting[::-1], worker_id=OTHER_WORKER, now=LATER)
    )
    found = await all_stored(database, [task.id for task in waiting])
    for task in waiting:
        assert found[task.id] == lifecycle.claim(task, worker_id=OTHER_WORKER, now=LATER)
    assert await stored(database, bystander.id) == bystander


ENDS: dict[str, Callable[[Task], AttemptEnded]] = {
    "succeed": lambda task: lifecycle.succeed(task, result='{"a":[1]}', now=LATER),
    "fail": failed,
    "fail for good": lambda task: failed(task, fatal=True),
    "retry after": lambda task: failed(task, after=123.456),
    "release": lambda task: lifecycle.release(task, now=LATER),
    "rescue": lambda task: lifecycle.rescue(task, now=LATER),
    "rescue the third time": lambda task: lifecycle.rescue(task._replace(lost_count=2), now=LATER),
    "cancel": lambda task: lifecycle.cancel_running(task, now=LATER),
}


@pytest.mark.parametrize("name", ENDS)
async def test_an_end_in_the_row_is_the_end_of_the_lifecycle(database: Database, name: str) -> None:
    task = running(
        attempt=4,
        version=9,
        lost_count=1,
        current_retry_count=1,
        run_at=NOW - seconds(3),
        priority=Priority.HIGH,
        progress='{"current":1}',
    )
    bystander = running()
    await store(database, task, bystander)
    ended = ENDS[name](task)
    await end(database, ended)

    assert await stored(database, task.id) == ended.task
    assert await stored(database, bystander.id) == bystander
    (row,) = await rows_of(database)
    expected = {field: getattr(ended.attempt, field) for field in ATTEMPT_FIELDS}
    kept = {"handler": task.handler, "next_score": ended.task.score, "hook_done_at": NOW}
    assert row == expected | kept


async def test_a_mixed_batch_writes_each_task_its_own_end(database: Database) -> None:
    held = [
        running(attempt=n + 1, current_retry_count=n % 3, lost_count=n % 2, worker_id=worker)
        for n, worker in enumerate([WORKER, OTHER_WORKER] * 12)
    ]
    await store(database, *held)
    kinds = list(ENDS.values())
    ends = [kinds[n % len(kinds)](task) for n, task in enumerate(held)]
    await end_all(database, list(reversed(ends)))
    found = await all_stored(database, [task.id for task in held])
    assert found == {ended.task.id: ended.task for ended in ends}
    assert len(await rows_of(database)) == len(held)


async def test_retries_of_one_batch_get_their_own_times_and_scores(database: Database) -> None:
    held = [running(priority=priority) for priority in Priority for _ in range(3)]
    await store(database, *held)
    ends = [failed(task, after=float(n)) for n, task in enumerate(held)]
    await end_all(database, ends)
    found = await all_stored(database, [task.id for task in held])
    for n, task in enumerate(held):
        due = LATER + seconds(n)
        assert found[task.id].run_at == due
        assert found[task.id].score == score(due, task.priority)


async def test_an_attempt_is_recorded_once(database: Database) -> None:
    task = running()
    await store(database, task)
    first = lifecycle.succeed(task, result="1", now=LATER)
    await end(database, first)
    await end(database, lifecycle.release(task, now=LATER))
    (row,) = await rows_of(database)
    assert row["outcome"] is Outcome.SUCCEEDED


async def test_progress_is_written_to_each_task_and_moves_the_version(database: Database) -> None:
    one, two, other = running(version=3), running(version=5), running()
    await store(database, one, two, other)
    values = {two.id: '{"current":2}', one.id: '{"current":1,"message":"\'quoted\'"}'}
    await database.write(lambda c: claims.set_progress(c, values, LATER))
    found = await all_stored(database, [one.id, two.id, other.id])
    assert found[one.id] == one._replace(progress=values[one.id], version=4, updated_at=LATER)
    assert found[two.id] == two._replace(progress=values[two.id], version=6, updated_at=LATER)
    assert found[other.id] == other


async def test_no_progress_is_no_statement(database: Database) -> None:
    task = running()
    await store(database, task)
    await database.write(lambda c: claims.set_progress(c, {}, LATER))
    assert await stored(database, task.id) == task


async def pending(
    database: Database,
    before: datetime,
    *handlers: str,
    limit: int = 10,
    of: Sequence[str] = ("default",),
) -> list[tuple[UUID, int]]:
    found = await database.read(
        lambda c: hooks.pending_hooks(
            c,
            namespaces=of,
            before=before,
            handlers=handlers or ("taskq.echo",),
            limit=limit,
        )
    )
    for attempt, task in found:
        assert attempt.task_id == task.id
    return [(task.id, attempt.attempt) for attempt, task in found]


async def test_a_hook_is_pending_until_it_is_marked_done(database: Database) -> None:
    task, done = running(attempt=2), running()
    await store(database, task, done)
    ended = failed(task)
    await end(database, ended, hook_done_at=None)
    await end(database, failed(done), hook_done_at=LATER)

    assert await pending(database, LATER) == [], "it ended at that very moment"
    assert await pending(database, LATER + seconds(1)) == [(task.id, 2)]
    assert await pending(database, LATER + seconds(1), "another.handler") == []
    await database.write(lambda c: hooks.mark_hooks_done(c, [(task.id, 2)], LATER))
    assert await pending(database, LATER + seconds(1)) == []


async def test_pending_hooks_are_those_of_some_namespaces(database: Database) -> None:
    theirs, mine = running(namespace="theirs"), running()
    await store(database, theirs, mine)
    await end_all(database, [failed(theirs), failed(mine)], None)
    later = LATER + seconds(1)
    assert await pending(database, later, limit=1) == [(mine.id, 1)]
    assert await pending(database, later, of=["none", "default"], limit=1) == [(mine.id, 1)]
    assert await pending(database, later, of=["none", "nobody"]) == []
    for some in (["default", "theirs"], ["*"]):
        assert sorted(await pending(database, later, of=some)) == sorted(
            [(theirs.id, 1), (mine.id, 1)]
        )


async def test_pending_hooks_come_with_the_task_as_it_is_now(database: Database) -> None:
    task = running(payload='{"value":"all of it"}')
    await store(database, task)
    ended = failed(task, fatal=True)
    await end(database, ended, hook_done_at=None)
    await database.write(
        lambda c: tasks.write(c, ended.task, lifecycle.retry(ended.task, now=LATER))
    )
    ((attempt, found),) = await database.read(
        lambda c: hooks.pending_hooks(
            c, namespaces=["default"], before=LATER + seconds(1), handlers=["taskq.echo"], limit=1
        )
    )
    assert attempt == ended.attempt
    assert found == await stored(database, task.id)
    assert found.status is Status.QUEUED


async def test_pending_hooks_of_one_task_and_of_several_are_not_mixed_up(
    database: Database,
) -> None:
    first = running(attempt=1)
    other = running(attempt=2)
    await store(database, first, other)
    await end(database, failed(first), hook_done_at=None)
    second = running(id=first.id, attempt=2)
    await end(database, failed(second), hook_done_at=NOW)
    await end(database, failed(other), hook_done_at=None)
    third = running(id=first.id, attempt=3)
    await end(database, failed(third), hook_done_at=None)
    found = await pending(database, LATER + seconds(1))
    assert sorted(found) == sorted([(first.id, 1), (first.id, 3), (other.id, 2)])
    assert len(await pending(database, LATER + seconds(1), limit=2)) == 2
