"""Bulk operations: what they decide about a task, and how far they are after a batch."""

from datetime import timedelta
from uuid import UUID

import pytest

from taskq_server.domain.bulk import (
    BATCH,
    Action,
    Batch,
    Effect,
    NewOperation,
    Operation,
    State,
    advance,
    begin,
    decide,
    stop,
)
from taskq_server.domain.requests import Edit, TaskFilter
from taskq_server.domain.task import Priority, Status, Task
from tests.unit.server.factories import NOW, make_task

LATER = NOW + timedelta(minutes=1)
HIGH = Edit(given=frozenset({"priority"}), priority=Priority.HIGH)
LAST = UUID(int=7)


def operation(action: Action, *granted: str, limit: int = 1_000) -> Operation:
    wanted = TaskFilter(handlers=("taskq.echo",))
    new = NewOperation(action=action, wanted=wanted, filter="{}", limit=limit)
    scopes = granted or ("tasks:read", "tasks:run:*")
    return begin(
        new, operation_id=UUID(int=1), namespace="default", key_id=None, granted=scopes, now=LATER
    )


@pytest.mark.parametrize(
    ("action", "fitting"),
    [
        (Action.RETRY, {Status.FAILED, Status.CANCELLED}),
        (Action.CANCEL, {Status.QUEUED, Status.RETRYING, Status.RUNNING}),
        (Action.DELETE, set(Status) - {Status.RUNNING}),
        (Action.UPDATE, {Status.QUEUED, Status.RETRYING, Status.RUNNING}),
    ],
)
@pytest.mark.parametrize("status", Status)
def test_what_an_action_does_not_fit_is_skipped(
    action: Action, fitting: set[Status], status: Status
) -> None:
    decided = decide(operation(action), HIGH, make_task(status), now=LATER)
    assert (decided is not Effect.SKIPPED) is (status in fitting)
    assert action.fits(status) is (status in fitting)


def test_tasks_become_what_a_single_change_makes_of_them() -> None:
    retried = decide(operation(Action.RETRY), None, make_task(Status.FAILED), now=LATER)
    assert isinstance(retried, Task)
    assert (retried.status, retried.run_at, retried.version) == (Status.QUEUED, LATER, 2)
    updated = decide(operation(Action.UPDATE), HIGH, make_task(), now=LATER)
    assert isinstance(updated, Task)
    assert updated.priority is Priority.HIGH
    running = decide(operation(Action.CANCEL), None, make_task(Status.RUNNING), now=LATER)
    assert isinstance(running, Task)
    assert running.cancel_requested_at == LATER
    assert decide(operation(Action.DELETE), None, make_task(), now=LATER) is Effect.DELETED


@pytest.mark.parametrize("action", [Action.RETRY, Action.DELETE])
def test_what_ended_after_it_began_is_skipped(action: Action) -> None:
    after = make_task(Status.FAILED, finished_at=LATER + timedelta(microseconds=1))
    assert decide(operation(action), None, after, now=LATER) is Effect.SKIPPED


def test_only_the_globs_of_its_maker_are_kept_and_count() -> None:
    retry = operation(Action.RETRY, "tasks:operate", "tasks:run:reports.*", "tasks:run:taskq.s*")
    assert retry.globs == ("tasks:run:reports.*", "tasks:run:taskq.s*")
    foreign, own = (make_task(Status.FAILED, handler=name) for name in ("taskq.echo", "reports.x"))
    assert decide(retry, None, foreign, now=LATER) is Effect.SKIPPED
    assert isinstance(decide(retry, None, own, now=LATER), Task)
    delete = operation(Action.DELETE, "tasks:operate", "tasks:write")
    assert decide(delete, None, foreign, now=LATER) is Effect.DELETED


def test_batches_move_it_on_until_there_are_no_more() -> None:
    first = operation(Action.RETRY)
    assert first.room == BATCH
    second = advance(first, Batch(done=190, skipped=8, failed=2, next_after=LAST), now=LATER)
    assert (second.state, second.cursor, second.finished_at) == (State.RUNNING, LAST, None)
    assert (second.matched, second.done, second.skipped, second.failed) == (200, 190, 8, 2)
    last = advance(second, Batch(done=1, skipped=0, failed=0, next_after=None), now=LATER)
    assert (last.state, last.matched, last.finished_at) == (State.SUCCEEDED, 201, LATER)
    assert last.cursor == LAST


def test_a_limit_ends_it() -> None:
    first = operation(Action.RETRY, limit=BATCH + 3)
    second = advance(first, Batch(done=BATCH, skipped=0, failed=0, next_after=LAST), now=LATER)
    assert second.room == 3
    last = advance(second, Batch(done=3, skipped=0, failed=0, next_after=LAST), now=LATER)
    assert (last.state, last.matched) == (State.SUCCEEDED, BATCH + 3)


def test_only_what_runs_is_stopped() -> None:
    stopped = stop(operation(Action.RETRY), now=LATER)
    assert (stopped.state, stopped.finished_at) == (State.STOPPED, LATER)
    assert stop(stopped, now=LATER + timedelta(hours=1)) == stopped


def test_its_tasks_were_there_when_it_began() -> None:
    retry = operation(Action.RETRY)
    assert retry.of_tasks(TaskFilter(tags=("a",))) == TaskFilter(
        tags=("a",), created_before=LATER, descending=False
    )
    earlier = TaskFilter(created_before=NOW)
    assert retry.of_tasks(earlier).created_before == NOW
    late = TaskFilter(created_before=LATER + timedelta(days=1))
    assert retry.of_tasks(late).created_before == LATER
