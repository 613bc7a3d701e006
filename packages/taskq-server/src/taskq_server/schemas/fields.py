"""Constrained types that several requests share."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

PriorityLabel = Literal["low", "normal", "high", "urgent"]
StatusLabel = Literal["queued", "running", "retrying", "succeeded", "failed", "cancelled"]

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$"
"""Handler and queue names: safe in URLs, logs and Redis keys."""

EDGED_PATTERN = r"^[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"
"""Human names: no control characters, no space at the edges (MySQL compares without it)."""

HandlerName = Annotated[str, StringConstraints(max_length=128, pattern=NAME_PATTERN)]
QueueName = Annotated[str, StringConstraints(max_length=64, pattern=NAME_PATTERN)]
TagName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=EDGED_PATTERN)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=EDGED_PATTERN)]
Description = Annotated[str, StringConstraints(max_length=10_000)]
Tags = Annotated[list[TagName], Field(max_length=32)]
MaxRetries = Annotated[int, Field(strict=True, ge=0, le=100)]
TimeoutSeconds = Annotated[float, Field(strict=True, gt=0, le=86_400)]
BackoffSeconds = Annotated[float, Field(strict=True, gt=0, le=86_400)]


def _in_range(value: datetime) -> datetime:
    utc = value.astimezone(UTC)
    if not 1970 <= utc.year <= 9000:
        raise ValueError("must lie between the years 1970 and 9000")
    return utc


Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]


class Request(BaseModel):
    """Base of all request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)
