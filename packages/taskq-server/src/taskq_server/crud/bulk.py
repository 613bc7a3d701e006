"""Bulk operations as rows: made once, locked for each batch, listed, and forgotten in time."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import bulk_operations, namespaces
from taskq_server.domain.bulk import Operation, State

_of = bulk_operations.c
_FIELDS = tuple(Operation.__dataclass_fields__)
_MOVES = ("state", "cursor", "matched", "done", "skipped", "failed", "finished_at")
_whole = select(*(_of[name] for name in _FIELDS))


@dataclass(frozen=True, slots=True)
class Made:
    """An operation with the fingerprint of the request that has made it."""

    operation: Operation
    fingerprint: str | None


async def add(
    connection: AsyncConnection, operation: Operation, hashed: str | None, fingerprint: str | None
) -> None:
    """Insert an operation.

    Args:
        connection: of a transaction.
        operation: has just begun.
        hashed: the hash of its idempotency key; None without a key.
        fingerprint: of its request; None without a key.

    Raises:
        Violation: the idempotency key is taken.
    """
    values = {**_to_row(operation), "idempotency_hash": hashed, "fingerprint": fingerprint}
    await connection.execute(insert(bulk_operations).values(values))


async def of_idempotency_key(
    connection: AsyncConnection, namespace: str, hashed: str
) -> Made | None:
    """Return the operation that an idempotency key belongs to."""
    statement = _whole.add_columns(_of.fingerprint).where(
        _of.namespace == namespace, _of.idempotency_hash == hashed
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else Made(_to_operation(row), row.fingerprint)


async def get(
    connection: AsyncConnection, namespace: str, operation_id: UUID, *, lock: bool = False
) -> Operation | None:
    """Return an operation of a namespace.

    Args:
        connection: of a transaction, to lock.
        namespace: of the operation.
        operation_id: of the operation.
        lock: wait for the batch under way, and keep others from beginning one.
    """
    statement = _whole.where(_of.id == operation_id, _of.namespace == namespace)
    if lock:
        statement = statement.with_for_update()
    row = (await connection.execute(statement)).first()
    return None if row is None else _to_operation(row)


async def peek(connection: AsyncConnection, operation_id: UUID) -> Operation | None:
    """Return an operation of any namespace if it runs, without waiting for a lock."""
    row = (await connection.execute(_whole.where(_of.id == operation_id))).first()
    return None if row is None or row.state is not State.RUNNING else _to_operation(row)


async def take(connection: AsyncConnection, operation_id: UUID) -> Operation | None:
    """Lock a running operation; None if it has ended, or if somebody works on it just now."""
    statement = _whole.where(_of.id == operation_id).with_for_update(skip_locked=True)
    row = (await connection.execute(statement)).first()
    if row is None or row.state is not State.RUNNING:
        return None
    return _to_operation(row)


async def move(connection: AsyncConnection, operation: Operation) -> None:
    """Store how far a locked operation has come."""
    values = {name: getattr(operation, name) for name in _MOVES}
    await connection.execute(update(bulk_operations).where(_of.id == operation.id).values(values))


async def running(connection: AsyncConnection, *, limit: int) -> list[UUID]:
    """Return the operations of all namespaces that run, the oldest first."""
    statement = select(_of.id).where(_of.state == State.RUNNING).order_by(_of.id).limit(limit)
    return list((await connection.execute(statement)).scalars())


async def count_running(connection: AsyncConnection, namespace: str) -> int:
    """Return how many operations of a namespace run.

    Until the end of the transaction no other may begin: the row of the namespace is locked.
    """
    row = select(namespaces.c.name).where(namespaces.c.name == namespace).with_for_update()
    await connection.execute(row)
    counted = select(func.count()).where(_of.namespace == namespace, _of.state == State.RUNNING)
    return (await connection.execute(counted)).scalar_one()


async def page(
    connection: AsyncConnection,
    namespace: str,
    *,
    states: Collection[State],
    after: UUID | None,
    limit: int,
) -> list[Operation]:
    """Return operations of a namespace, the newest first.

    Args:
        connection: any.
        namespace: of the operations.
        states: any of these; empty for all.
        after: the id to continue after; None for the newest ones.
        limit: most operations.
    """
    statement = _whole.where(_of.namespace == namespace).order_by(_of.id.desc()).limit(limit)
    if states:
        statement = statement.where(_of.state.in_(states))
    if after is not None:
        statement = statement.where(_of.id < after)
    return [_to_operation(row) for row in await connection.execute(statement)]


async def made_by(connection: AsyncConnection, key_id: str, *, limit: int) -> list[Operation]:
    """Return the running operations that a key has made, the newest first."""
    statement = _whole.where(_of.key_id == key_id, _of.state == State.RUNNING)
    found = await connection.execute(statement.order_by(_of.id.desc()).limit(limit))
    return [_to_operation(row) for row in found]


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete operations that ended before `before`, oldest first; return how many."""
    gone: list[UUID] = []
    for state in (State.SUCCEEDED, State.STOPPED):
        old = select(_of.id).where(_of.state == state, _of.finished_at < before)
        found = await connection.execute(old.order_by(_of.finished_at).limit(limit))
        gone += found.scalars()
    if gone:
        await connection.execute(delete(bulk_operations).where(_of.id.in_(sorted(gone))))
    return len(gone)


def _to_operation(row: Row[Any]) -> Operation:
    values = {name: row._mapping[name] for name in _FIELDS}
    return Operation(**{**values, "globs": tuple(json.loads(values["globs"]))})


def _to_row(operation: Operation) -> dict[str, Any]:
    values = {name: getattr(operation, name) for name in _FIELDS}
    return {**values, "globs": json.dumps(operation.globs)}
