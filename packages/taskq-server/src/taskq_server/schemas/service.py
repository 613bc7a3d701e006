"""Answers about the service as a whole: tags, handlers, task counts, health."""

from typing import Any, Literal

from pydantic import Field

from taskq_server.schemas.fields import Answer, PriorityLabel


class TagRead(Answer):
    """A tag, and how many tasks carry it."""

    name: str
    count: int


class TagList(Answer):
    """All tags, by name."""

    items: list[TagRead]


class HandlerRead(Answer):
    """A handler that workers have published."""

    name: str
    description: str
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of the payload")
    max_retries: int
    timeout_seconds: float
    queue: str = Field(description="of tasks whose submit names none")
    priority: PriorityLabel = Field(description="of tasks whose submit names none")
    tags: list[str] = Field(description="of tasks whose submit names none")
    unique_key: str | None = Field(
        description="a JSON pointer to the unique key in the payload of tasks whose submit names "
        "none; null if they have none"
    )
    workers: int = Field(description="live workers that can run it")


class HandlerList(Answer):
    """All handlers, by name."""

    items: list[HandlerRead]


class StatusCounts(Answer):
    """The number of tasks in each status."""

    queued: int = Field(ge=0, description="includes tasks that are scheduled for later")
    running: int = Field(ge=0)
    retrying: int = Field(ge=0)
    succeeded: int = Field(ge=0)
    failed: int = Field(ge=0)
    cancelled: int = Field(ge=0)


class QueueCounts(Answer):
    """A queue and its task counts."""

    name: str
    tasks: StatusCounts
    depth: int = Field(ge=0, description="waiting tasks: queued or retrying, due or not")


class QueueRead(QueueCounts):
    """A queue, its task counts, and how it has moved."""

    oldest_age_seconds: float | None = Field(
        ge=0,
        description="for how long the oldest due task has been due; null if no task is due. Where "
        "handlers and queues are many, also null beyond 500 queues with live workers and 10,000 "
        "combinations of queue, handler and priority",
    )
    throughput_per_minute: float = Field(
        ge=0,
        description="attempts that ran to their end, successful or not, on average over the last "
        "five minutes",
    )
    run_seconds_mean: float | None = Field(
        ge=0, description="the mean of how long these attempts ran; null without any"
    )


class StatsRead(Answer):
    """The number of tasks, in all and in each queue that has any, by name."""

    tasks: StatusCounts
    queues: list[QueueRead]
    workers: int = Field(ge=0, description="live workers")


class StatsEvent(Answer):
    """What `StatsRead` has that changes only when something happens: no ages and no rates."""

    tasks: StatusCounts
    queues: list[QueueCounts]
    workers: int = Field(ge=0, description="live workers")


class Live(Answer):
    """The process answers."""

    status: Literal["ok"]


NotReady = Literal["database-unavailable", "database-read-only", "schema-mismatch", "draining"]
"""Why a process cannot serve requests: codes that stay, and that name no host and no account."""


class Ready(Answer):
    """The state of the services that the process needs. Without Redis it serves more slowly."""

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unavailable"]
    redis: Literal["ok", "unavailable"]
    reasons: list[NotReady] = Field(
        default_factory=list,
        description="why the status is not `ok`: `database-unavailable` (it does not answer), "
        "`database-read-only`, `schema-mismatch` (run `taskq-server db upgrade`), `draining` (the "
        "process was told to stop). Only callers with `metrics:read` see it, or everybody where no "
        "key is asked for",
    )
