"""The live workers, as far as a caller sees them.

A caller sees the workers that serve its namespace, and of what they run only the tasks that it may
read. An operator who has named no namespace sees all of it.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from taskq_server.core.database import Connection, Database
from taskq_server.crud import live_workers
from taskq_server.crud.live_workers import Place
from taskq_server.domain import limits, scopes
from taskq_server.domain.caller import ALL_NAMESPACES, Caller
from taskq_server.domain.worker import LiveWorker, Load, WorkerRow, served_in, serves
from taskq_server.services import worker_cursor


@dataclass(frozen=True, slots=True)
class Page:
    """Workers, those that have started last first; `next_cursor` is None on the last page."""

    items: tuple[LiveWorker, ...]
    next_cursor: str | None


class WorkerService:
    """Read the live workers.

    All of them are looked at for each page, but whole rows are read for those in the page only.

    Args:
        database: holds their rows.
        clock: aware UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def list(self, caller: Caller, *, limit: int = 50, cursor: str | None = None) -> Page:
        """Return one page.

        Args:
            caller: sees the workers of its namespace.
            limit: most workers in the page.
            cursor: `next_cursor` of the page before; None for the first page.

        Raises:
            InvalidCursor: the cursor was not made for this list.
        """
        after = None if cursor is None else worker_cursor.read(cursor, caller.namespace)
        now = self._clock()

        async def read(connection: Connection) -> Page:
            live = await live_workers.places(connection, now)
            found = sorted((place for place, served in live if _sees(caller, served)), reverse=True)
            left = [place for place in found if after is None or place < after]
            shown = left[:limit]
            items = await _whole(connection, caller, shown)
            more = len(left) > limit
            return Page(items, worker_cursor.write(shown[-1], caller.namespace) if more else None)

        return await self._database.read(read)


def _sees(caller: Caller, namespaces: str | None) -> bool:
    return caller.is_in(ALL_NAMESPACES) or serves(served_in(namespaces), caller.namespace)


async def _whole(
    connection: Connection, caller: Caller, shown: Sequence[Place]
) -> tuple[LiveWorker, ...]:
    rows = await live_workers.by_id(connection, [place.id for place in shown])
    loads = await _loads(connection, caller, rows.keys())
    handlers = {text: _handlers(caller, text) for text in {row.handlers for row in rows.values()}}
    return tuple(
        _shown(caller, rows[place.id], handlers, loads.get(place.id, Load()))
        for place in shown
        if place.id in rows
    )


def _shown(
    caller: Caller, row: WorkerRow, handlers: Mapping[str, tuple[str, ...]], load: Load
) -> LiveWorker:
    return LiveWorker(
        id=row.id,
        name=row.name,
        namespaces=_namespaces(caller, row),
        queues=tuple(json.loads(row.queues)[: limits.WORKER_NAMES]),
        handlers=handlers[row.handlers],
        concurrency=row.concurrency,
        running=load.running,
        running_count=load.amount,
        quarantine_in_use=load.quarantined,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        version=row.version,
    )


async def _loads(
    connection: Connection, caller: Caller, ids: Collection[UUID]
) -> Mapping[UUID, Load]:
    sees_all = caller.may(scopes.READ)
    if not ids or not (sees_all or caller.key_id):
        return {}
    return await live_workers.loads(
        connection,
        ids,
        namespace=None if caller.is_in(ALL_NAMESPACES) else caller.namespace,
        submitted_by=None if sees_all else caller.key_id,
        most=limits.WORKER_TASKS,
    )


def _handlers(caller: Caller, text: str) -> tuple[str, ...]:
    """Return the handlers in a worker's row that the caller is told of."""
    seen = filter(caller.sees_handler, sorted(json.loads(text)))
    return tuple(islice(seen, limits.WORKER_NAMES))


def _namespaces(caller: Caller, row: WorkerRow) -> tuple[str, ...]:
    """Return the namespaces of a worker that the caller is told of."""
    if caller.is_operator:
        return tuple(sorted(row.served))
    return tuple(sorted(row.served & {caller.namespace, ALL_NAMESPACES}))
