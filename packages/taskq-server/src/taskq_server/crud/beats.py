"""What a worker reads with each beat, in one statement."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    String,
    cast,
    literal,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core import dialects
from taskq_server.crud.sweeps import SHARE, with_holders
from taskq_server.crud.tables import is_running, namespaces, queues, tasks
from taskq_server.domain.sweeps import Share
from taskq_server.domain.task import Queue
from taskq_server.domain.worker import HeldAttempt
from taskq_server.models.base import TaskId

_TIME, _HELD, _SHARE, _NAMESPACE, _PAUSED = range(5)
_no_id = type_coerce(null(), TaskId())
_no_text = type_coerce(null(), String())
_no_number = type_coerce(null(), BigInteger())


@dataclass(slots=True)
class Seen:
    """What the database says at one moment.

    Attributes:
        time: its clock, aware UTC.
        held: the running attempts of the worker.
        shares: who takes care of which sweep.
        namespaces: the names of all namespaces, in their order; None unless they were asked for.
        paused: those of the worker's queues that are paused, in any namespace.
    """

    time: datetime
    held: list[HeldAttempt] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    namespaces: list[str] | None = None
    paused: list[Queue] = field(default_factory=list)


async def look(
    connection: AsyncConnection,
    worker_id: UUID,
    listened: Collection[str],
    *,
    all_namespaces: bool,
) -> Seen:
    """Return what a worker has to know.

    Args:
        connection: of the transaction that renews the lease.
        worker_id: of the worker.
        listened: the names of its queues.
        all_namespaces: whether it serves all, and has to know which there are.
    """
    clock = dialects.of(connection).now()
    parts = [_time(clock), _held(worker_id), _shares(), _paused(listened)]
    if all_namespaces:
        parts.append(_part(_NAMESPACE, namespaces.c.name))
    rows = (await connection.execute(union_all(*parts))).all()
    return _seen(rows, all_namespaces=all_namespaces)


def _seen(rows: Sequence[Any], *, all_namespaces: bool) -> Seen:
    seen = Seen(datetime.now(UTC), namespaces=[] if all_namespaces else None)
    for what, name, one_id, number, more, space, time in rows:
        if what == _HELD:
            seen.held.append(HeldAttempt(one_id, number, bool(more)))
        elif what == _SHARE:
            seen.shares.append(Share(name, one_id, number, more))
        elif what == _NAMESPACE and seen.namespaces is not None:
            seen.namespaces.append(name)
        elif what == _PAUSED:
            seen.paused.append(Queue(space, name))
        elif time is not None:
            seen.time = time.replace(tzinfo=UTC)
    if seen.namespaces is not None:
        seen.namespaces.sort()
    return seen


def _part(
    what: int,
    name: ColumnElement[Any] = _no_text,
    one_id: ColumnElement[Any] = _no_id,
    number: ColumnElement[Any] = _no_number,
    more: ColumnElement[Any] = _no_number,
    space: ColumnElement[Any] = _no_text,
    *,
    time: ColumnElement[Any] | None = None,
) -> Select[Any]:
    columns = {"name": name, "id": one_id, "number": number, "more": more, "space": space}
    labelled = [column.label(label) for label, column in columns.items()]
    clock = null() if time is None else time
    return select(literal(what).label("what"), *labelled, clock.label("time"))


def _time(clock: ColumnElement[Any] | None) -> Select[Any]:
    return _part(_TIME, time=clock)


def _held(worker_id: UUID) -> Select[Any]:
    asked = cast(tasks.c.cancel_requested_at.is_not(None), BigInteger)
    return _part(_HELD, one_id=tasks.c.id, number=tasks.c.attempt, more=asked).where(
        is_running, tasks.c.worker_id == worker_id
    )


def _shares() -> Select[Any]:
    return _part(_SHARE, *SHARE).select_from(with_holders)


def _paused(listened: Collection[str]) -> Select[Any]:
    is_paused = queues.c.paused_at.is_not(None), queues.c.name.in_(sorted(listened))
    return _part(_PAUSED, queues.c.name, space=queues.c.namespace).where(*is_paused)
