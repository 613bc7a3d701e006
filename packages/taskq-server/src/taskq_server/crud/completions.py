"""Ends of attempts: the hot path of workers, with one INSERT and one UPDATE for each outcome."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud import counts, unique_keys
from taskq_server.crud.prepared import BulkInsert, IdListStatement
from taskq_server.crud.tables import ATTEMPT_FIELDS, attempts, tasks
from taskq_server.crud.versioned import update_by_ids
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.task import Outcome, Status, Task


def _of_attempt(column: str) -> ScalarSelect[Any]:
    return (
        select(attempts.c[column])
        .where(attempts.c.task_id == tasks.c.id, attempts.c.attempt == tasks.c.attempt)
        .scalar_subquery()
    )


# One transaction ends hundreds of attempts, so tasks that get equal values share an UPDATE. The
# UPDATE reads each task's own values (when it is due again, and its place in the queue) from the
# row of the attempt, which the same transaction has inserted.
_ENDED = ("status", "current_retry_count", "lost_count", "worker_id", "updated_at")
_FINISHED = (*_ENDED, "finished_at")
_finish = update_by_ids(*_FINISHED, score=None)
# Every change of a task moves its version, so a row of the same worker, attempt and version is the
# row that the end was decided on: the UPDATE itself finds out, and no SELECT has to lock it before.
_FENCE = ("worker_id", "attempt", "version")
_finish_optimistically = update_by_ids(
    *_FINISHED,
    where=[tasks.c[name] == bindparam(f"of_{name}", type_=tasks.c[name].type) for name in _FENCE],
    score=None,
)
_requeue = update_by_ids(
    *_ENDED,
    score=_of_attempt("next_score"),
    run_at=func.coalesce(_of_attempt("retry_at"), tasks.c.run_at),
)
_retry = update_by_ids(*_ENDED, score=_of_attempt("next_score"), run_at=_of_attempt("retry_at"))
_insert_attempts = BulkInsert(attempts, once=True)
_STORED = len(ATTEMPT_FIELDS)
_COLUMNS = (*ATTEMPT_FIELDS, "handler", "next_score", "hook_done_at")


class StaleRow(Exception):
    """A task has changed since its claim; the transaction has to be rolled back."""


async def mark_ended(
    connection: AsyncConnection,
    ends: Sequence[AttemptEnded],
    *,
    hook_done_at: Mapping[UUID, datetime | None],
    optimistic: Collection[UUID] = (),
) -> None:
    """Write the ends of attempts: one INSERT, and one UPDATE for each outcome.

    Tasks that have ended by that free their unique keys.

    Args:
        connection: holds the locks of all tasks but the optimistic ones.
        ends: decided by the lifecycle.
        hook_done_at: by task; None while a hook still has to run for this transition.
        optimistic: ids of tasks to update without locking first; their ends are final, and were
            decided on the tasks as they were claimed.

    Raises:
        StaleRow: an optimistic task has changed since its claim; roll back and retry with locks.
    """
    # All transactions lock tasks in the order of their ids, so that no two wait for each other.
    ordered = sorted(ends, key=lambda end: end.task.id)
    # Before the optimistic tasks are locked: whoever locks both locks keys first.
    await unique_keys.release(connection, [end.task.id for end in ends if end.task.status.final])
    # This UPDATE locks the optimistic ones, as a SELECT has locked all others, before the INSERT.
    await _finish_as_claimed(connection, [end.task for end in ordered if end.task.id in optimistic])
    await _insert_attempts(
        connection,
        _COLUMNS,
        [
            (*end.attempt[:_STORED], end.task.handler, end.task.score, hook_done_at[end.task.id])
            for end in ordered
        ],
    )
    await _end(connection, [end.task for end in ordered if end.task.id not in optimistic])
    await counts.end(connection, ends)


async def _finish_as_claimed(connection: AsyncConnection, after: Sequence[Task]) -> None:
    for (*values, attempt, version), ids in _alike(after, (*_FINISHED, *_FENCE[1:])).items():
        given = _given(_FINISHED, values)
        # The end moves the version by one and keeps worker and attempt.
        fence = {"of_worker_id": given["to_worker_id"], "of_attempt": attempt}
        met = await _finish_optimistically.count(
            connection, ids, **given, **fence, of_version=version - 1
        )
        if met != len(ids):
            raise StaleRow


async def _end(connection: AsyncConnection, after: Sequence[Task]) -> None:
    for values, ids in _alike(after, _FINISHED).items():
        await _end_statement(values[0]).count(connection, ids, **_given(_FINISHED, values))


def _alike(after: Sequence[Task], names: Sequence[str]) -> dict[tuple[Any, ...], list[UUID]]:
    """Group tasks by the values to write, so that each group takes one statement."""
    # The ends of one batch have one time, so that most of them are alike.
    groups: dict[tuple[Any, ...], list[UUID]] = defaultdict(list)
    for task in after:
        groups[tuple(getattr(task, name) for name in names)].append(task.id)
    return groups


def _given(names: Sequence[str], values: Sequence[object]) -> dict[str, object]:
    return {f"to_{name}": value for name, value in zip(names, values, strict=True)}


def _end_statement(status: Status) -> IdListStatement[tuple[Any, ...]]:
    if status.final:
        return _finish
    return _retry if status is Status.RETRYING else _requeue


async def put_off(connection: AsyncConnection, task_id: UUID) -> int:
    """Return how many attempts were released with an error since one had another outcome."""
    of_task = attempts.c.task_id == task_id
    released = attempts.c.outcome == Outcome.RELEASED
    last = select(func.max(attempts.c.attempt)).where(of_task, ~released).scalar_subquery()
    found = await connection.execute(
        select(func.count()).where(
            of_task,
            released,
            attempts.c.error_type.is_not(None),
            attempts.c.attempt > func.coalesce(last, 0),
        )
    )
    return found.scalar_one()
