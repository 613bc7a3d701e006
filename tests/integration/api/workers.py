"""Workers for tests, as they register themselves."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from taskq_server.core.database import Connection
from taskq_server.crud import workers
from taskq_server.domain.worker import WorkerRow
from taskq_server.runtime import Runtime


def new_worker(
    runtime: Runtime,
    name: str = "host:1",
    *,
    worker_id: UUID | None = None,
    namespaces: Sequence[str] | None = ("default",),
    handlers: Sequence[str] = ("taskq.echo", "taskq.sleep"),
    queues: Sequence[str] = ("default",),
    started: float = 0.0,
    lease: float = 60.0,
) -> WorkerRow:
    """Make a worker.

    Args:
        runtime: tells the time.
        name: of the worker.
        worker_id: of the worker; None for a new one.
        namespaces: that it serves; None for a worker of a version that does not tell.
        handlers: that it can run.
        queues: that it listens to.
        started: seconds since its start.
        lease: seconds for which its lease is valid.
    """
    now = runtime.clock()
    return WorkerRow(
        id=worker_id or uuid4(),
        name=name,
        queues=json.dumps(sorted(queues)),
        handlers=json.dumps({each: ["digest"] for each in handlers}),
        namespaces=None if namespaces is None else json.dumps(namespaces),
        concurrency=100,
        started_at=now - timedelta(seconds=started),
        heartbeat_at=now,
        lease_until=now + timedelta(seconds=lease),
        version=None if namespaces is None else "1.2.3",
    )


async def register(runtime: Runtime, rows: Iterable[WorkerRow]) -> None:
    """Store workers."""

    async def write(connection: Connection) -> None:
        for row in rows:
            await workers.register(connection, row)

    await runtime.database.write(write)


async def add_worker(runtime: Runtime, name: str = "host:1", **given: Any) -> WorkerRow:
    """Store a worker that `new_worker` makes, and return it."""
    row = new_worker(runtime, name, **given)
    await register(runtime, [row])
    return row
