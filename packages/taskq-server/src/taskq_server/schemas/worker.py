"""The list of workers on the wire."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from taskq_server.domain import limits
from taskq_server.domain.worker import LiveWorker
from taskq_server.schemas.fields import NUMBER_IN_QUERY, Answer, Request


class WorkerQuery(Request):
    """The page of `GET /workers`."""

    limit: Annotated[int, Field(ge=1, le=limits.PAGE_ITEMS), NUMBER_IN_QUERY] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=limits.CURSOR_LENGTH)] | None = Field(
        None, description="`next_cursor` of the page before"
    )


class RunningRead(Answer):
    """A task that a worker runs now."""

    id: UUID = Field(description="the task's id")
    namespace: str
    handler: str
    attempt: int
    started_at: datetime = Field(description="when this attempt began")
    quarantined: bool = Field(description="it runs in quarantine: its last worker was lost")


class WorkerRead(Answer):
    """A live worker, and what it runs of the tasks that the caller sees."""

    id: UUID = Field(description="of this start of the worker: `worker_id` of attempts")
    name: str = Field(description="host and process: `worker_name` of attempts")
    namespaces: list[str] = Field(
        description="the caller's own, if the worker serves it by name, and `*` if it serves all; "
        "an operator sees all names"
    )
    queues: list[str] = Field(
        max_length=limits.WORKER_NAMES, description="queues that it listens to, the first by name"
    )
    handlers: list[str] = Field(
        max_length=limits.WORKER_NAMES, description="handlers that it can run, the first by name"
    )
    concurrency: int = Field(ge=1, description="tasks that it may run at once")
    running: list[RunningRead] = Field(
        max_length=limits.WORKER_TASKS, description="what it runs now, the longest first"
    )
    running_count: int = Field(
        ge=0, description="tasks that it runs now, those too that are not in `running`"
    )
    quarantine_in_use: int = Field(ge=0, description="how many of them run in quarantine")
    started_at: datetime
    heartbeat_at: datetime = Field(description="when it has last renewed its lease")
    version: str | None = Field(description="of taskq-server; null if it does not tell it")

    @classmethod
    def of(cls, worker: LiveWorker) -> Self:
        """Return the form of a worker on the wire."""
        return cls.model_validate(worker, from_attributes=True)


class WorkerPage(Answer):
    """One page of workers, those that have started last first."""

    items: list[WorkerRead]
    next_cursor: str | None
