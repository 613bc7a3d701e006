"""Leases: as long as its lease is valid, a worker keeps the tasks that it runs."""

import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from taskq_server.core import dialects
from taskq_server.core.config import Settings
from taskq_server.core.database import Connection, Database
from taskq_server.core.observer import NOBODY, Observer
from taskq_server.crud import beats, sweeps, workers
from taskq_server.crud.beats import Seen
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.worker import WorkerRow

_OVER = timedelta(seconds=1)
"""For how long a lease that was given back has been over, also by a clock that is a bit behind."""


class Beat(NamedTuple):
    """What the database said to one beat.

    Attributes:
        seen: what the worker has to know.
        asked: when it was asked, by `time.monotonic`.
        answered: when it answered, by the same clock.
    """

    seen: Seen
    asked: float
    answered: float


class Leases:
    """A worker's row: registered, renewed, ended.

    Args:
        database: holds the row.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def connect(cls, settings: Settings, observer: Observer = NOBODY) -> Self:
        """Return leases with one connection of their own, for the event loop of another thread.

        A database that hangs is given up on in time for another beat on a new connection, because
        a connection may have died unseen.

        Args:
            settings: say where the database is, and how long a lease lasts.
            observer: is told of errors of the database.
        """
        return cls(
            Database(
                settings.database_url.get_secret_value(),
                pool_size=1,
                timeout_seconds=max(1.0, settings.lease_seconds / 3),
                hang_seconds=settings.database_connect_seconds,
                observer=observer,
            )
        )

    async def now(self) -> datetime:
        """Return the database's clock."""
        return await self._database.now()

    async def register(self, worker: WorkerRow) -> None:
        """Store a new worker with its first lease."""
        await self._database.write(lambda c: workers.register(c, worker))

    async def beat(self, worker: WorkerRow, lease: timedelta) -> Beat | None:
        """Renew the lease and return what the worker has to know; None when the lease was lost.

        It takes two statements, in one transaction.
        """
        until = shown_lease(lease).total_seconds()
        is_of_all = ALL_NAMESPACES in worker.served
        listened = json.loads(worker.queues)

        async def work(connection: Connection) -> Beat | None:
            dialect = dialects.of(connection)
            now, lease_until = dialect.after(0), dialect.after(until)
            if not await workers.renew(connection, worker.id, now=now, lease_until=lease_until):
                return None
            asked = time.monotonic()
            seen = await beats.look(connection, worker.id, listened, all_namespaces=is_of_all)
            return Beat(seen, asked, time.monotonic())

        return await self._database.write(work)

    async def unregister(self, worker: WorkerRow) -> None:
        """End the lease of a worker that has stopped, so that others take its tasks at once."""
        over = await self._database.now() - _OVER

        async def work(connection: Connection) -> None:
            await workers.unregister(connection, worker.id, lease_until=over)
            await sweeps.release(connection, worker.id)

        await self._database.write(work)

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()


def shown_lease(lease: timedelta) -> timedelta:
    """Return for how long readers take a worker for alive after its beat.

    It is a lease more than the lease, because readers compare times of different clocks. Nobody
    takes anything away for it.
    """
    return 2 * lease


def names(values: Sequence[str]) -> str:
    """Write names the way worker rows keep them."""
    return json.dumps(sorted(values))
