"""Submits whose unique key another task holds: what becomes of them, and of that task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from taskq_server.core.database import Connection
from taskq_server.crud import tasks, unique_keys
from taskq_server.crud.tasks import NewRow
from taskq_server.domain import lifecycle
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import FieldError, UniqueConflict
from taskq_server.domain.task import Task, TaskDetails
from taskq_server.domain.unique import Holder, OnConflict

_POINTER = "/unique_key"


@dataclass(frozen=True, slots=True)
class Conflict:
    """The end of a submit that is answered with the holder of its unique key.

    Attributes:
        details: the holder as it is when the transaction commits.
        before: the holder before the submit replaced its payload and start; None if it did not.
    """

    details: TaskDetails
    before: Task | None = None

    def shown_to(self, caller: Caller) -> TaskDetails:
        """Return the holder as its caller may see it: in full, or its id and status only."""
        if caller.sees(self.details.task.submitted_by):
            return self.details
        return replace(self.details, is_hidden=True)


Lost = Mapping[UUID, Holder]
"""Who holds the unique key of each new task that does not get it."""


async def take(connection: Connection, rows: Sequence[NewRow]) -> Lost:
    """Take the unique keys of new tasks; without any, nothing."""
    claims = [claim for row in rows if (claim := row.claim) is not None]
    return await unique_keys.take(connection, claims) if claims else {}


async def resolve(
    connection: Connection, rows: Sequence[NewRow], lost: Lost
) -> dict[UUID, Conflict | UniqueConflict]:
    """Decide about new tasks that did not get their keys, one after the other.

    Args:
        connection: of the transaction in which the keys were taken, so that no holder has ended.
        rows: these tasks.
        lost: who holds their keys; these are stored.

    Returns:
        By the id of the new task.
    """
    replacing = [row for row in rows if _how(row) is OnConflict.REPLACE]
    before: dict[UUID, Task] = {}
    refused: dict[UUID, str] = {}
    if replacing:
        holders = {lost[row.task.id].task_id for row in replacing}
        locked = await tasks.lock(connection, holders, payload=False)
        for row in replacing:
            holder = locked[lost[row.task.id].task_id]
            if holder.handler != row.task.handler:
                refused[row.task.id] = f"its handler is {holder.handler}, so nothing replaces it"
            elif holder.status.waiting:
                before[row.task.id] = holder
                locked[holder.id] = await _replace(connection, holder, row.task)
    return await _answers(connection, rows, lost, before, refused)


async def _replace(connection: Connection, holder: Task, new: Task) -> Task:
    after = lifecycle.replace(
        holder, payload=new.payload, run_at=new.run_at, now=max(new.created_at, holder.updated_at)
    )
    await tasks.write(connection, holder, after)
    return after


async def _answers(
    connection: Connection,
    rows: Sequence[NewRow],
    lost: Lost,
    before: Mapping[UUID, Task],
    refused: Mapping[UUID, str],
) -> dict[UUID, Conflict | UniqueConflict]:
    addresses = {row.task.id: (row.task.namespace, lost[row.task.id].task_id) for row in rows}
    found = await tasks.details(connection, addresses.values())
    answers: dict[UUID, Conflict | UniqueConflict] = {}
    for row in rows:
        new_id = row.task.id
        holder = found[addresses[new_id]]
        why = refused.get(new_id)
        if why is not None or _how(row) is OnConflict.REJECT:
            answers[new_id] = taken(
                Holder(holder.task.id, holder.task.status), why, pointer=_POINTER
            )
        else:
            answers[new_id] = Conflict(holder, before.get(new_id))
    return answers


def _how(row: NewRow) -> OnConflict:
    return OnConflict.RETURN if row.unique is None else row.unique.on_conflict


def taken(holder: Holder, why: str | None = None, *, pointer: str | None = None) -> UniqueConflict:
    """Return the error of a task that does not get its unique key.

    Args:
        holder: of the key.
        why: what else there is to say about the holder.
        pointer: where the key is in the request; None if it is that of a stored task.
    """
    detail = f"the unique key is held by task {holder.task_id}, which is {holder.status}"
    if why:
        detail += f": {why}"
    errors = [FieldError(pointer, "unique-conflict", detail)] if pointer is not None else []
    return UniqueConflict(detail, errors, holder)


def none_refused(
    rows: Sequence[NewRow], answers: Mapping[UUID, Conflict | UniqueConflict]
) -> dict[UUID, Conflict]:
    """Return the answers to the rows of a batch that did not get their keys.

    Args:
        rows: the whole batch.
        answers: by the id of the row.

    Raises:
        UniqueConflict: some are refused; it points at each.
    """
    positions = {row.task.id: position for position, row in enumerate(rows)}
    refused: list[FieldError] = []
    holders: list[Holder | None] = []
    for row_id in sorted(answers, key=positions.__getitem__):
        answer = answers[row_id]
        if isinstance(answer, UniqueConflict):
            holder, detail = answer.holder, str(answer)
            if holder is not None and holder.task_id in positions:
                detail = f"item {positions[holder.task_id]} of the batch has the same unique key"
                holder = None
            pointer = f"/items/{positions[row_id]}{_POINTER}"
            refused.append(FieldError(pointer, "unique-conflict", detail))
            holders.append(holder)
    if refused:
        detail = "unique keys of the batch are taken; nothing was stored"
        raise UniqueConflict(detail, refused, next(filter(None, holders), None))
    return {one: answer for one, answer in answers.items() if isinstance(answer, Conflict)}
