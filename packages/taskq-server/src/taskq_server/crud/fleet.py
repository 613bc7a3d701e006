"""Live workers and the handlers that were published, of all namespaces."""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud.tables import handlers, workers
from taskq_server.domain.caller import ALL_NAMESPACES


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """What a live worker serves: tasks of these namespaces, queues and handlers."""

    namespaces: frozenset[str]
    queues: frozenset[str]
    handlers: frozenset[str]

    def serves(self, namespace: str) -> bool:
        """Return whether it runs tasks of a namespace; `*` asks about all of them."""
        return not self.namespaces.isdisjoint((namespace, ALL_NAMESPACES))


async def live(connection: AsyncConnection, now: datetime) -> list[LiveWorker]:
    """Return the workers with a valid lease. Those of older versions serve all namespaces."""
    rows = await connection.execute(
        select(workers.c.namespaces, workers.c.queues, workers.c.handlers).where(
            workers.c.lease_until >= now
        )
    )
    return [
        LiveWorker(
            frozenset([ALL_NAMESPACES] if served is None else json.loads(served)),
            frozenset(json.loads(queues)),
            frozenset(json.loads(names)),
        )
        for served, queues, names in rows
    ]


async def published(connection: AsyncConnection) -> list[tuple[str, str]]:
    """Return namespace and name of each handler that was ever published, in this order."""
    columns = (handlers.c.namespace, handlers.c.name)
    rows = await connection.execute(select(*columns).order_by(*columns))
    return [(namespace, name) for namespace, name in rows]
