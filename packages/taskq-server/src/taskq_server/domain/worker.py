"""A worker's row, and its running attempts in the database."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker; `queues` is a JSON list, and so is `handlers` until they are published."""

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
    """A running attempt in the database."""

    task_id: UUID
    attempt: int
    cancel_requested: bool
