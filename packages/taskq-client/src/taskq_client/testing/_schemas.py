"""What the fake accepts: the server's rules for requests, as models."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taskq_client.testing._problems import Problem

ModelT = TypeVar("ModelT", bound=BaseModel)

_DIRECTIONS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROLS = r"\x00-\x1f\x7f-\x9f" + _DIRECTIONS
_EDGED = rf"^[^\s{_CONTROLS}](?:[^{_CONTROLS}]*[^\s{_CONTROLS}])?$"
_PREFIX = rf"^[^{_CONTROLS}]*$"
_PROSE = rf"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_DIRECTIONS}]*$"

_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$"

HandlerName = Annotated[str, Field(max_length=128, pattern=_NAME)]
QueueName = Annotated[str, Field(max_length=64, pattern=_NAME)]
Title = Annotated[str, Field(min_length=1, max_length=255, pattern=_EDGED)]
TitlePrefix = Annotated[str, Field(min_length=1, max_length=255, pattern=_PREFIX)]
Description = Annotated[str, Field(max_length=10_000, pattern=_PROSE)]
TagName = Annotated[str, Field(min_length=1, max_length=64, pattern=_EDGED)]
PriorityName = Literal["low", "normal", "high", "urgent"]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Backoff = Annotated[float, Field(ge=0, le=86_400)]
Retries = Annotated[int, Field(ge=0, le=100)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


class NewTask(_Request):
    """A task to store."""

    handler: HandlerName
    payload: dict[str, Any] = Field(default_factory=dict)
    title: Title | None = None
    description: Description | None = None
    priority: PriorityName = "normal"
    tags: Annotated[list[TagName], Field(max_length=32)] = Field(default_factory=list)
    queue: QueueName = "default"
    run_at: datetime | None = None
    delay_seconds: Annotated[float, Field(ge=0, le=31_536_000)] | None = None
    timeout_seconds: Seconds | None = None
    max_retries: Retries | None = None
    backoff_base_seconds: Backoff | None = None
    backoff_max_seconds: Backoff | None = None


class Batch(_Request):
    """Tasks to store together."""

    items: Annotated[list[NewTask], Field(min_length=1, max_length=1000)]


class Changes(_Request):
    """A merge patch."""

    title: Title | None = None
    description: Description | None = None
    tags: Annotated[list[TagName], Field(max_length=32)] | None = None
    priority: PriorityName | None = None
    max_retries: Retries | None = None
    timeout_seconds: Seconds | None = None
    run_at: datetime | None = None


class Wanted(_Request):
    """Tasks to wait for."""

    ids: Annotated[list[str], Field(min_length=1, max_length=1000)]
    timeout_seconds: Annotated[float, Field(ge=0, le=60)] = 20.0


class Filters(_Request):
    """The texts that a list is narrowed down by."""

    tag: Annotated[list[TagName], Field(max_length=8)]
    handler: HandlerName | None
    queue: QueueName | None
    q: TitlePrefix | None


def read(model: type[ModelT], body: bytes) -> ModelT:
    """Read a body, or raise the problem that the server would answer with."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _problem(error, "") from None


def check_filters(params: httpx.QueryParams) -> None:
    """Check the query of a list, or raise the problem that the server would answer with."""
    given = {name: params.get(name) for name in ("handler", "queue", "q")}
    try:
        Filters.model_validate({"tag": params.get_list("tag"), **given})
    except ValidationError as error:
        raise _problem(error, "/query") from None


def _problem(error: ValidationError, inside: str) -> Problem:
    problems = [
        {
            "pointer": inside + "".join(f"/{part}" for part in one["loc"]),
            "code": one["type"].replace("_", "-"),
            "detail": one["msg"],
        }
        for one in error.errors(include_url=False, include_input=False)
    ]
    first = problems[0]
    detail = f"{first['pointer'] or 'the body'}: {first['detail']}"
    return Problem(422, "invalid-request", detail, problems)
