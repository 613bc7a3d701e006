"""Workers of a handler that declares schedules, as rows and what they publish, and a janitor."""

import json
from uuid import UUID

from taskq_server.crud import schedules, workers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.domain.declarations import Declaration
from taskq_server.domain.schedule import Schedule
from taskq_server.domain.worker import WorkerRow
from taskq_server.runtime import Runtime
from taskq_server.services.declared import Declared
from taskq_server.services.declared_sweep import DeclaredSweep
from taskq_server.services.publishing import Publishing
from tests.unit.server.factories import seconds

A = Declaration("0 6 * * *", None, "Europe/Berlin")
B = Declaration(None, 3600.0, "UTC")
C = Declaration("30 7 * * *", None, "UTC")
OWN = PublishedHandler(
    name="h", description="", payload_schema="{}", max_retries=1, timeout_seconds=1
)
LEASE = 10.0


class Fleet:
    """Workers of one handler on a database, and a janitor."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.seconds = 0.0
        self.janitor = DeclaredSweep(runtime.database, runtime.clock, LEASE, lambda: self.seconds)
        self._number = 0

    async def start(
        self, declared: Declaration | None, *served: str, namespace: str | None = None
    ) -> UUID:
        """Start a worker that declares this; it publishes."""
        namespaces = served or ("default",)
        by_handler = {} if declared is None else {"h": (namespace or namespaces[0], declared)}
        worker_id = await self.register(*namespaces)
        publishing = Publishing(
            self.runtime.database, self.runtime.clock, namespaces, [OWN], Declared(by_handler)
        )
        await publishing.start(worker_id)
        return worker_id

    async def register(self, *namespaces: str) -> UUID:
        """Store the row of a live worker that has published nothing."""
        self._number += 1
        now = self.runtime.clock()
        live = WorkerRow(
            id=UUID(int=self._number),
            name="host:1",
            queues="[]",
            handlers='["h"]',
            namespaces=json.dumps(namespaces),
            concurrency=1,
            started_at=now,
            heartbeat_at=now,
            lease_until=now + seconds(60),
        )
        await self.runtime.database.write(lambda c: workers.register(c, live))
        return live.id

    async def end(self, worker_id: UUID) -> None:
        """Let a worker give its lease back."""
        over = self.runtime.clock() - seconds(1)
        await self.runtime.database.write(
            lambda c: workers.unregister(c, worker_id, lease_until=over)
        )

    async def sweep(self) -> None:
        """Sweep until what has changed has been right for a whole lease."""
        for _ in range(3):
            await self.janitor.sweep()
            self.seconds += LEASE / 2

    async def schedule(self, namespace: str = "default") -> Schedule | None:
        """The schedule that is in force."""
        return await self.runtime.database.read(lambda c: schedules.get(c, namespace, "code:h"))

    async def in_force(self, namespace: str = "default") -> Declaration | None:
        """What declares that schedule."""
        found = await self.schedule(namespace)
        if found is None:
            return None
        return Declaration(found.cron, found.every_seconds, found.timezone)

    async def write(self, schedule: Schedule) -> None:
        """Write all of the schedule."""
        await self.runtime.database.write(lambda c: schedules.write(c, schedule))
