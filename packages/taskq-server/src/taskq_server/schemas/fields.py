"""Constrained types that several requests share."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from taskq_server.domain import limits
from taskq_server.domain.naming import NAME_PATTERN, SCHEDULE_PATTERN

PriorityLabel = Literal["low", "normal", "high", "urgent"]
StatusLabel = Literal["queued", "running", "retrying", "succeeded", "failed", "cancelled"]
OnConflictLabel = Literal["return", "replace", "reject"]

_DIRECTIONS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROLS = r"\x00-\x1f\x7f-\x9f" + _DIRECTIONS

EDGED_PATTERN = rf"^[^\s{_CONTROLS}](?:[^{_CONTROLS}]*[^\s{_CONTROLS}])?$"
"""Human names: nothing that steers a terminal or turns the direction of writing, and no space at
the edges (MySQL compares without it)."""

PREFIX_PATTERN = rf"^[^{_CONTROLS}]*$"
"""How human names begin: a space at the end is one between words."""

_EIGHT, _FOUR = "[0-9a-f]{8}", "(?:-[0-9a-f]{4})"
ID_PREFIX_PATTERN = (
    f"^(?:[0-9a-f]{{1,8}}|{_EIGHT}{_FOUR}{{0,2}}-[0-9a-f]{{0,4}}"
    f"|{_EIGHT}{_FOUR}{{3}}-[0-9a-f]{{0,12}})$"
)
"""How ids begin, as they are written on the wire."""

PROSE_PATTERN = rf"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_DIRECTIONS}]*$"
"""Text of several lines: the same, but for tabs and line breaks."""

HandlerName = Annotated[
    str, StringConstraints(max_length=limits.HANDLER_LENGTH, pattern=NAME_PATTERN)
]
ScheduleName = Annotated[
    str, StringConstraints(max_length=limits.SCHEDULE_LENGTH, pattern=SCHEDULE_PATTERN)
]
"""Any schedule's, those included that are declared in code."""

QueueName = Annotated[str, StringConstraints(max_length=limits.QUEUE_LENGTH, pattern=NAME_PATTERN)]
TagName = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.TAG_LENGTH, pattern=EDGED_PATTERN)
]
Title = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.TITLE_LENGTH, pattern=EDGED_PATTERN)
]
TitlePrefix = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.TITLE_LENGTH, pattern=PREFIX_PATTERN)
]
IdPrefix = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.ID_LENGTH, pattern=ID_PREFIX_PATTERN)
]
ErrorTypeName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.ERROR_TYPE_LENGTH, pattern=EDGED_PATTERN),
]
UniqueKeyText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.UNIQUE_KEY_LENGTH, pattern=EDGED_PATTERN),
]
Description = Annotated[
    str, StringConstraints(max_length=limits.DESCRIPTION_LENGTH, pattern=PROSE_PATTERN)
]
Tags = Annotated[list[TagName], Field(max_length=limits.TAGS)]
MaxRetries = Annotated[int, Field(strict=True, ge=0, le=limits.RETRIES)]
TimeoutSeconds = Annotated[float, Field(strict=True, gt=0, le=limits.TIMEOUT_SECONDS)]
BackoffSeconds = Annotated[float, Field(strict=True, gt=0, le=limits.BACKOFF_SECONDS)]
KeepSeconds = Annotated[float, Field(strict=True, ge=1, le=limits.KEEP_SECONDS)]
DelaySeconds = Annotated[float, Field(strict=True, ge=0, le=limits.DELAY_SECONDS)]

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)",
    re.ASCII | re.IGNORECASE,
)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def _rfc_3339(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return value
    raise ValueError("must be a time as RFC 3339 writes it, with an offset or Z")


def _hyphenated(value: object) -> object:
    if isinstance(value, UUID) or (isinstance(value, str) and _UUID.fullmatch(value)):
        return value
    raise ValueError("must be a UUID with hyphens")


def _as_json_number(value: object) -> object:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a number as JSON writes it")
    return value


def _in_range(value: datetime) -> datetime:
    if not _EARLIEST <= value < _LATEST:
        raise ValueError("must lie between the years 1970 and 9000")
    return value.astimezone(UTC)


_BOUNDS: dict[str, JsonValue] = {
    "formatMinimum": _EARLIEST.isoformat(),
    "formatExclusiveMaximum": _LATEST.isoformat(),
}

Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc_3339),
    AfterValidator(_in_range),
    Field(json_schema_extra=_BOUNDS),
]
"""A time. Pydantic alone would take a number as well, and a dozen other spellings."""

Id = Annotated[UUID, BeforeValidator(_hyphenated)]
"""An id, as it is written on the wire."""

NUMBER_IN_QUERY = BeforeValidator(_as_json_number)
"""For a number that comes as text: no `1_000`, no `+5`, no spaces, no other digits."""


class Request(BaseModel):
    """Base of all request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)
