"""A worker's row, and its running attempts in the database."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from taskq_server.domain.caller import ALL_NAMESPACES


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker; `queues` and `namespaces` are JSON lists, as is `handlers` before publishing.

    `namespaces` is None for a worker of a version that serves all of them, and `version` for one
    that does not tell its own. `declarations` is a JSON object; None for one that says nothing of
    schedules. `beats` counts the renewals of the lease, which is over for good once `ended_at` is
    set.
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
    version: str | None = None
    beats: int = 0
    ended_at: datetime | None = None
    declarations: str | None = None

    @property
    def served(self) -> frozenset[str]:
        """The namespaces that it serves; `*` stands for all."""
        return served_in(self.namespaces)


def served_in(namespaces: str | None) -> frozenset[str]:
    """Return the namespaces in the row of a worker; `*` stands for all."""
    return frozenset({ALL_NAMESPACES} if namespaces is None else json.loads(namespaces))


def serves(served: frozenset[str], namespace: str) -> bool:
    """Return whether a worker that serves some namespaces serves this one."""
    return ALL_NAMESPACES in served or namespace in served


@dataclass(frozen=True, slots=True)
class HeldAttempt:
    """A running attempt in the database."""

    task_id: UUID
    attempt: int
    cancel_requested: bool


class RunningTask(NamedTuple):
    """A task that a worker runs now; a page of workers may have thousands of them.

    Attributes:
        id: of the task.
        namespace: of the task.
        handler: that runs.
        attempt: its number.
        started_at: when the attempt began.
        quarantined: whether it runs in quarantine, because its last worker was lost.
    """

    id: UUID
    namespace: str
    handler: str
    attempt: int
    started_at: datetime
    quarantined: bool


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker runs now, as far as a caller sees it.

    Attributes:
        running: the tasks, those that have run longest first; not all where they are many.
        amount: how many there are.
        quarantined: how many of them run in quarantine.
    """

    running: tuple[RunningTask, ...] = ()
    amount: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """A worker with a valid lease, as far as a caller sees it and what it runs.

    Attributes:
        id: of this start of the worker.
        name: its host and process.
        namespaces: that it serves; `*` stands for all.
        queues: that it listens to, by name.
        handlers: that it can run, by name.
        concurrency: how many tasks it may run at once.
        running: what it runs now, the tasks that have run longest first.
        running_count: how many these are, also where not all are in `running`.
        quarantine_in_use: how many of them run in quarantine.
        started_at: when it started.
        heartbeat_at: when it has last renewed its lease.
        version: of taskq-server; None for one that does not tell it.
    """

    id: UUID
    name: str
    namespaces: tuple[str, ...]
    queues: tuple[str, ...]
    handlers: tuple[str, ...]
    concurrency: int
    running: tuple[RunningTask, ...]
    running_count: int
    quarantine_in_use: int
    started_at: datetime
    heartbeat_at: datetime
    version: str | None
