"""What callers may change on tasks, and when."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from taskq_server.domain.errors import IllegalTransition, TaskNotFound, VersionMismatch
from taskq_server.domain.requests import TaskChanges
from taskq_server.domain.task import Priority, Status, TaskDetails, score
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import TaskUpdate
from tests.support.callers import CALLER
from tests.unit.server.factories import (
    make_tags,
    make_task,
    publish,
    running,
    store,
    stored,
)

MISSING = UUID(int=1)
FINAL = [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED]


@pytest.fixture(autouse=True)
async def echo(runtime: Runtime) -> None:
    await publish(runtime.database, "taskq.echo", max_retries=6, timeout_seconds=66.0)


async def update(runtime: Runtime, task_id: UUID, **fields: Any) -> TaskDetails:
    changes = TaskUpdate.model_validate(fields).as_changes()
    return await runtime.change.update(CALLER, task_id, changes)


@pytest.mark.parametrize("of", ["missing", "of another namespace"])
async def test_a_task_that_is_not_there_cannot_be_touched(runtime: Runtime, of: str) -> None:
    theirs = make_task(Status.FAILED, namespace="theirs")
    await store(runtime.database, theirs)
    task_id = MISSING if of == "missing" else theirs.id
    read, change = runtime.read, runtime.change
    for verb in (read.get, read.attempts, change.delete, change.cancel, change.retry):
        with pytest.raises(TaskNotFound, match=str(task_id)):
            await verb(CALLER, task_id)
    with pytest.raises(TaskNotFound):
        await update(runtime, task_id, title="x")
    assert await stored(runtime.database, theirs.id) == theirs


async def test_an_update_changes_what_is_given_and_moves_the_version(runtime: Runtime) -> None:
    task = make_task(description="old", payload='{"kept":1}')
    await store(runtime.database, task)
    after = await update(runtime, task.id, title="new", priority="high", max_retries=1)
    assert (after.task.title, after.task.description) == ("new", "old")
    assert (after.task.priority, after.task.max_retries) == (Priority.HIGH, 1)
    assert after.task.score == score(task.created_at, Priority.HIGH)
    assert (after.task.version, after.task.payload) == (2, '{"kept":1}')
    assert after.task.updated_at > task.updated_at
    assert await runtime.read.get(CALLER, task.id) == after


async def test_null_resets_to_the_defaults(runtime: Runtime) -> None:
    task = make_task(description="d", priority=Priority.LOW, max_retries=1, timeout_seconds=1.0)
    tags = await make_tags(runtime.database, "a")
    await store(runtime.database, task, tagged={task.id: [tags["a"]]})
    names = ("title", "description", "tags", "priority", "max_retries", "timeout_seconds", "run_at")
    after = await update(runtime, task.id, **dict.fromkeys(names))
    assert (after.task.title, after.task.description) == ("taskq.echo", None)
    assert (after.task.priority, after.tags) == (Priority.NORMAL, ())
    assert (after.task.max_retries, after.task.timeout_seconds) == (6, 66.0), "the handler's"
    assert after.task.due_at <= runtime.clock()


async def test_tags_are_replaced_and_move_the_version(runtime: Runtime) -> None:
    tags = await make_tags(runtime.database, "a", "b")
    task = make_task(Status.SUCCEEDED)
    await store(runtime.database, task, tagged={task.id: list(tags.values())})
    after = await update(runtime, task.id, tags=["new", "b", "b"])
    assert (after.tags, after.task.version) == (("b", "new"), 2)
    assert (await update(runtime, task.id, title="t")).tags == ("b", "new"), (
        "not given, not changed"
    )


@pytest.mark.parametrize("status", FINAL)
async def test_a_final_task_keeps_what_decides_its_life(runtime: Runtime, status: Status) -> None:
    task = make_task(status)
    await store(runtime.database, task)
    changes: list[dict[str, Any]] = [
        {"priority": "low"},
        {"max_retries": 1},
        {"run_at": None},
        {"title": "x", "timeout_seconds": 1},
    ]
    for change in changes:
        with pytest.raises(IllegalTransition):
            await update(runtime, task.id, **change)
    assert await stored(runtime.database, task.id) == task
    assert (await update(runtime, task.id, title="x")).task.title == "x"


async def test_an_update_of_an_old_version_changes_nothing(runtime: Runtime) -> None:
    task = make_task(version=5)
    await store(runtime.database, task)
    change = TaskChanges(given=frozenset({"title", "tags"}), title="x", tags=("t",))
    for version in (4, 6):
        with pytest.raises(VersionMismatch):
            await runtime.change.update(CALLER, task.id, change, version=version)
    assert await runtime.read.get(CALLER, task.id) == TaskDetails(task, ())
    assert (await runtime.change.update(CALLER, task.id, change, version=5)).task.version == 6


async def test_of_racing_updates_of_one_version_one_wins(runtime: Runtime) -> None:
    task = make_task()
    await store(runtime.database, task)
    answers = await asyncio.gather(
        *(
            runtime.change.update(
                CALLER, task.id, TaskChanges(given=frozenset({"title"}), title=f"{n}"), version=1
            )
            for n in range(10)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, TaskDetails) for answer in answers) == 1
    assert sum(isinstance(answer, VersionMismatch) for answer in answers) == 9
    assert (await stored(runtime.database, task.id)).version == 2


class Connections:
    """Counts the connections that are in use."""

    def __init__(self, runtime: Runtime) -> None:
        self.now = self.most = 0
        event.listen(runtime.database.engine.sync_engine, "checkout", self._out)
        event.listen(runtime.database.engine.sync_engine, "checkin", self._in)

    def _out(self, *_: object) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def _in(self, *_: object) -> None:
        self.now -= 1


async def test_an_update_holds_one_connection_at_a_time(runtime: Runtime) -> None:
    """Callers who each hold one and want another would wait for each other until all fail."""
    task = make_task()
    await store(runtime.database, task)
    connections = Connections(runtime)
    fields = {"title": "t", "tags": ["t"], "max_retries": 5, "timeout_seconds": 5.0}
    after = await update(runtime, task.id, **fields)
    assert after.task.max_retries == 5
    assert (connections.most, connections.now) == (1, 0)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RETRYING])
async def test_a_waiting_task_is_cancelled_at_once(runtime: Runtime, status: Status) -> None:
    task = make_task(status)
    await store(runtime.database, task)
    after = (await runtime.change.cancel(CALLER, task.id)).task
    assert (after.status, after.score) == (Status.CANCELLED, None)
    assert after.finished_at is not None
    assert await runtime.change.cancel(CALLER, task.id) == await runtime.read.get(CALLER, task.id)
    assert (await stored(runtime.database, task.id)).version == 2, "the second time is no change"


async def test_a_running_task_is_asked_to_stop(runtime: Runtime) -> None:
    task = running()
    await store(runtime.database, task)
    after = (await runtime.change.cancel(CALLER, task.id)).task
    assert after.status is Status.RUNNING
    assert after.cancel_requested_at is not None
    assert (await runtime.change.cancel(CALLER, task.id)).task == after


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED])
async def test_what_has_ended_cannot_be_cancelled(runtime: Runtime, status: Status) -> None:
    task = make_task(status)
    await store(runtime.database, task)
    with pytest.raises(IllegalTransition):
        await runtime.change.cancel(CALLER, task.id)
    assert await stored(runtime.database, task.id) == task


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
async def test_a_persons_retry_queues_the_task_again(runtime: Runtime, status: Status) -> None:
    task = make_task(status, current_retry_count=3, attempt=4)
    await store(runtime.database, task)
    after = (await runtime.change.retry(CALLER, task.id)).task
    assert (after.status, after.current_retry_count, after.attempt) == (Status.QUEUED, 0, 4)
    assert after.due_at <= runtime.clock()
    with pytest.raises(IllegalTransition):
        await runtime.change.retry(CALLER, task.id)


@pytest.mark.parametrize("status", [s for s in Status if s not in FINAL[1:]])
async def test_what_did_not_fail_cannot_be_retried(runtime: Runtime, status: Status) -> None:
    task = make_task(status)
    await store(runtime.database, task)
    with pytest.raises(IllegalTransition):
        await runtime.change.retry(CALLER, task.id)
    assert await stored(runtime.database, task.id) == task


@pytest.mark.parametrize("status", Status)
async def test_a_task_is_deleted_unless_it_runs(runtime: Runtime, status: Status) -> None:
    task = make_task(status)
    await store(runtime.database, task)
    if status is Status.RUNNING:
        with pytest.raises(IllegalTransition):
            await runtime.change.delete(CALLER, task.id)
        assert await stored(runtime.database, task.id) == task
        return
    await runtime.change.delete(CALLER, task.id)
    with pytest.raises(TaskNotFound):
        await runtime.read.get(CALLER, task.id)
    with pytest.raises(TaskNotFound):
        await runtime.change.delete(CALLER, task.id)
