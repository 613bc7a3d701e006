"""Queues on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from taskq_server.domain import limits
from taskq_server.schemas.fields import PROSE_PATTERN, Answer, Request

QueueNote = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.QUEUE_NOTE_LENGTH, pattern=PROSE_PATTERN),
]


class QueuePause(Request):
    """Why a queue is paused."""

    note: QueueNote | None = Field(
        None, description="why, for people; left out, that of an earlier pause stays"
    )


class QueueItem(Answer):
    """A queue as it stands."""

    name: str
    paused: bool = Field(description="whether none of its tasks may start")
    paused_at: datetime | None = Field(description="since when it is paused; null if it is not")
    note: str | None = Field(description="why it is paused, for people")
    depth: int = Field(ge=0, description="waiting tasks: queued or retrying, due or not")
    running: int = Field(ge=0, description="tasks that run now; a pause lets them go on")
    oldest_age_seconds: float | None = Field(
        ge=0,
        description="for how long the oldest due task has been due; null if no task is due, and "
        "where handlers and queues are too many, as in `GET /stats`",
    )
    throughput_per_minute: float = Field(
        ge=0,
        description="attempts that ran to their end, successful or not, on average over the last "
        "five minutes",
    )
    workers: int = Field(ge=0, description="live workers that listen to it")


class QueueList(Answer):
    """Queues, by name."""

    items: list[QueueItem]
