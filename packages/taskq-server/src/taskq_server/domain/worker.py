"""A worker as its row says, and what the database says it runs."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker; `queues` is a JSON list; `handlers`, too, until they are published."""

    id: UUID
    name: str
    queues: str
    handlers: str
    concurrency: int
    started_at: datetime
    heartbeat_at: datetime
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class HeldAttempt:
    """A running attempt, as the database knows it."""

    task_id: UUID
    attempt: int
    cancel_requested: bool
