"""What happened lately: the history of minutes, and failures in groups."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from taskq_server.domain import limits
from taskq_server.schemas.fields import NUMBER_IN_QUERY, Answer, QueueName, Request


class HistoryQuery(Request):
    """The query parameters of `GET /stats/history`."""

    minutes: Annotated[int, Field(ge=1, le=limits.HISTORY_MINUTES), NUMBER_IN_QUERY] = Field(
        60, description="how many, up to the present one"
    )
    queue: QueueName | None = Field(None, description="only this queue")


class QueueHistoryRead(Answer):
    """A queue over the minutes: each list has one value for each minute.

    The last three were measured at one moment of the minute, and are null where no worker did it.
    """

    succeeded: list[int] = Field(description="attempts that succeeded")
    failed: list[int] = Field(description="attempts that failed, timed out or lost their worker")
    run_seconds_mean: list[float | None] = Field(
        description="the mean of how long these attempts ran; null without any"
    )
    depth: list[int | None] = Field(description="waiting tasks: queued or retrying, due or not")
    running: list[int | None] = Field(description="running tasks")
    oldest_age_seconds: list[float | None] = Field(
        description="for how long the oldest due task had been due; null also without one"
    )


class HistoryRead(Answer):
    """The last minutes of all queues that had tasks in them."""

    minutes: list[datetime] = Field(
        description="when each minute began, oldest first; the last one is not over yet"
    )
    queues: dict[str, QueueHistoryRead] = Field(description="by name")
    exact: bool = Field(
        description="false if older minutes are left out, because minutes times queues are more "
        f"than {limits.HISTORY_POINTS:,}"
    )


class FailuresQuery(Request):
    """The query parameters of `GET /failures`."""

    since_seconds: Annotated[float, Field(gt=0, le=limits.FAILURES_SECONDS), NUMBER_IN_QUERY] = (
        Field(3600.0, description="how long ago a task may have failed for good")
    )


class FailureGroupRead(Answer):
    """Tasks of one handler whose last attempts failed alike."""

    handler: str
    type: str = Field(description="of the error")
    message: str = Field(
        description="the first line of the error's message, cut off after "
        f"{limits.FIRST_LINE_LENGTH} characters"
    )
    failed: int = Field(ge=0, description="tasks that failed for good")
    retrying: int = Field(ge=0, description="tasks that are retrying now")
    last_at: datetime = Field(description="when the newest of them failed")
    example: UUID = Field(description="the id of the newest of them")


class FailureList(Answer):
    """Groups of failures, the largest first."""

    items: list[FailureGroupRead]
    exact: bool = Field(
        description=f"false beyond {limits.FAILURES:,} tasks, of which the newest are counted, and "
        f"beyond {limits.FAILURE_GROUPS} groups, of which the largest are shown"
    )
