"""Bulk operations: one action on all tasks that a filter finds, decided task by task.

An operation works through the tasks that were there when it began, in the order of their ids. What
happens to a task is decided under its lock, by the same decisions as for one task alone; a task
that the action no longer fits is skipped, never forced.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, StrEnum
from typing import assert_never
from uuid import UUID

from taskq_server.domain import lifecycle, scopes
from taskq_server.domain.errors import IllegalTransition
from taskq_server.domain.requests import Edit, TaskFilter
from taskq_server.domain.task import Status, Task

BATCH = 200
"""Tasks that one transaction of an operation changes."""


class Action(StrEnum):
    """What an operation does with each task."""

    RETRY = "retry"
    CANCEL = "cancel"
    DELETE = "delete"
    UPDATE = "update"

    @property
    def runs(self) -> bool:
        """Whether it decides when tasks run, which needs the right to run their handlers."""
        return self in (Action.RETRY, Action.UPDATE)

    def fits(self, status: Status) -> bool:
        """Return whether a task in a status can be changed so, as far as its status says.

        Args:
            status: of the task; an update also has rules of its own for `run_at`.
        """
        match self:
            case Action.RETRY:
                return status in (Status.FAILED, Status.CANCELLED)
            case Action.CANCEL | Action.UPDATE:
                return not status.final
            case Action.DELETE:
                return status is not Status.RUNNING
            case _:
                assert_never(self)


class State(StrEnum):
    """How far an operation is; the last two are final."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    STOPPED = "stopped"


class Effect(Enum):
    """What happens to a task instead of a change."""

    SKIPPED = "skipped"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperation:
    """An operation that is wanted.

    Attributes:
        action: what happens to each task.
        wanted: which tasks.
        filter: the same, as JSON text of the wire.
        edit: the changes of an update; None for other actions.
        changes: the same, as JSON text of the wire.
        limit: most tasks that the operation looks at.
    """

    action: Action
    wanted: TaskFilter
    filter: str
    edit: Edit | None = None
    changes: str | None = None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation as it is stored. Times are aware UTC; filter and changes are JSON text.

    Attributes:
        id: of the operation, in the order of their beginnings.
        namespace: of its tasks.
        action: what happens to each task.
        filter: which tasks.
        changes: of an update; None for other actions.
        limit: most tasks that it looks at.
        state: how far it is.
        cursor: the last id that it is through with; None before the first batch.
        matched: tasks that it has found so far: the sum of the other three.
        done: tasks that were changed or deleted.
        skipped: tasks that the action no longer fitted, or whose handler its maker may not run.
        failed: tasks for which there was no room among those that wait.
        key_id: the key that made it; None where no key was asked for.
        globs: the scopes `tasks:run:` of its maker.
        created_at: when it began; tasks of a later time are not its business.
        finished_at: when it ended or was stopped.
    """

    id: UUID
    namespace: str
    action: Action
    filter: str
    changes: str | None
    limit: int
    state: State
    cursor: UUID | None
    matched: int
    done: int
    skipped: int
    failed: int
    key_id: str | None
    globs: tuple[str, ...]
    created_at: datetime
    finished_at: datetime | None

    @property
    def room(self) -> int:
        """How many tasks the next batch may have."""
        return min(BATCH, self.limit - self.matched)

    def of_tasks(self, wanted: TaskFilter) -> TaskFilter:
        """Return the filter of the tasks that were there when the operation began, oldest first."""
        before = self.created_at
        if wanted.created_before is not None:
            before = min(before, wanted.created_before)
        return replace(wanted, created_before=before, descending=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one batch has done: numbers of tasks, and where the next batch begins.

    Attributes:
        done: tasks that were changed or deleted.
        skipped: tasks that the action did not fit.
        failed: tasks for which there was no room.
        next_after: the last id that was looked at; None if there are no more.
    """

    done: int
    skipped: int
    failed: int
    next_after: UUID | None


def begin(
    new: NewOperation,
    *,
    operation_id: UUID,
    namespace: str,
    key_id: str | None,
    granted: Collection[str],
    now: datetime,
) -> Operation:
    """Return an operation that begins now.

    Args:
        new: what is wanted.
        operation_id: of the operation.
        namespace: of its tasks.
        key_id: of its maker.
        granted: the scopes of its maker, who is judged by them for as long as it runs.
        now: aware UTC.
    """
    return Operation(
        id=operation_id,
        namespace=namespace,
        action=new.action,
        filter=new.filter,
        changes=new.changes,
        limit=new.limit,
        state=State.RUNNING,
        cursor=None,
        matched=0,
        done=0,
        skipped=0,
        failed=0,
        key_id=key_id,
        globs=tuple(sorted(scope for scope in granted if scope.startswith(scopes.RUN))),
        created_at=now,
        finished_at=None,
    )


def decide(operation: Operation, edit: Edit | None, task: Task, *, now: datetime) -> Task | Effect:
    """Return what a locked task becomes, or what happens to it instead.

    A final task that ended after the operation began is not what its maker has seen: it is skipped.

    Args:
        operation: what to do.
        edit: the changes of an update.
        task: matches the filter under its lock.
        now: aware UTC.
    """
    if task.finished_at is not None and task.finished_at > operation.created_at:
        return Effect.SKIPPED
    if operation.action.runs and not scopes.may_run(operation.globs, task.handler):
        return Effect.SKIPPED
    try:
        return _decided(operation.action, edit, task, now)
    except IllegalTransition:
        return Effect.SKIPPED


def _decided(action: Action, edit: Edit | None, task: Task, now: datetime) -> Task | Effect:
    match action:
        case Action.RETRY:
            return lifecycle.retry(task, now=now)
        case Action.CANCEL:
            return Effect.SKIPPED if task.status.final else lifecycle.cancel(task, now=now)
        case Action.DELETE:
            lifecycle.check_deletable(task)
            return Effect.DELETED
        case Action.UPDATE:
            assert edit is not None, "an update has changes"
            return lifecycle.edit(task, edit, now=now)
        case _:
            assert_never(action)


def advance(operation: Operation, batch: Batch, *, now: datetime) -> Operation:
    """Return the operation after a batch: it has succeeded if no task is left for it."""
    matched = operation.matched + batch.done + batch.skipped + batch.failed
    is_over = batch.next_after is None or matched >= operation.limit
    return replace(
        operation,
        matched=matched,
        done=operation.done + batch.done,
        skipped=operation.skipped + batch.skipped,
        failed=operation.failed + batch.failed,
        cursor=batch.next_after or operation.cursor,
        state=State.SUCCEEDED if is_over else State.RUNNING,
        finished_at=now if is_over else None,
    )


def stop(operation: Operation, *, now: datetime) -> Operation:
    """Return the operation as it is when it is stopped; one that has ended stays as it is."""
    if operation.state is not State.RUNNING:
        return operation
    return replace(operation, state=State.STOPPED, finished_at=now)
