"""A worker's row, and its running attempts in the database."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker; `queues` and `namespaces` are JSON lists, as is `handlers` before publishing.

    `namespaces` is None for a worker of a version that serves all of them.
    """

    id: UUID
    name: str
    queues: str
    handlers: str
    namespaces: str | None
    concurrency: int
    started_at: datetime
    heartbeat_at: datetime
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class HeldAttempt:
    """A running attempt in the database."""

    task_id: UUID
    attempt: int
    cancel_requested: bool
