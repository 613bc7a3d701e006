"""What the service says about itself: tags, handlers, numbers of tasks, health."""

from typing import Any, Literal

from pydantic import Field

from taskq_server.schemas.fields import Answer


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
    workers: int = Field(description="live workers that can run it")


class HandlerList(Answer):
    """All handlers, by name."""

    items: list[HandlerRead]


class StatusCounts(Answer):
    """How many tasks stand where."""

    queued: int = Field(ge=0, description="those that are scheduled for later, too")
    running: int = Field(ge=0)
    retrying: int = Field(ge=0)
    succeeded: int = Field(ge=0)
    failed: int = Field(ge=0)
    cancelled: int = Field(ge=0)


class QueueRead(Answer):
    """A queue, and how its tasks stand."""

    name: str
    tasks: StatusCounts
    depth: int = Field(ge=0, description="tasks that wait: queued or retrying, due or not")
    oldest_age_seconds: float | None = Field(
        ge=0,
        description="how long the task has been due that waits the longest; null if none is. Where "
        "handlers and queues are many, also null beyond 500 queues with live workers and 10,000 "
        "combinations of queue, handler and priority, and in queues that namespaces share beyond "
        "100 of them",
    )


class StatsRead(Answer):
    """How many tasks there are, in all and in each queue that has any, by name."""

    tasks: StatusCounts
    queues: list[QueueRead]
    workers: int = Field(ge=0, description="live workers")


class Live(Answer):
    """The process answers."""

    status: Literal["ok"]


class Ready(Answer):
    """What the process depends on. Without Redis it still serves, a little slower."""

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unavailable"]
    redis: Literal["ok", "unavailable"]
