"""What the service says about itself: tags, handlers, health."""

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


class Live(Answer):
    """The process answers."""

    status: Literal["ok"]


class Ready(Answer):
    """What the process depends on. Without Redis it still serves, a little slower."""

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unavailable"]
    redis: Literal["ok", "unavailable"]
