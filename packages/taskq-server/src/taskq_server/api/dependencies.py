"""Dependencies of routes as annotations: `runtime: RuntimeDep`, `key: Key`, `prefer: Prefer`."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request
from starlette.applications import Starlette

from taskq_server.api.body.reading import JsonRequest
from taskq_server.api.errors import NotStarted
from taskq_server.api.headers import EntityTags, KeyText, Preferences
from taskq_server.domain import limits
from taskq_server.domain.errors import FieldError, InvalidFields
from taskq_server.domain.traces import valid_traceparent
from taskq_server.runtime import Runtime
from taskq_server.schemas.fields import NUMBER_IN_QUERY
from taskq_server.services.catalog import Catalog
from taskq_server.services.stats import StatsService
from taskq_server.services.submission import IdempotencyKey

_KEY = "Idempotency-Key"

TaskId = Annotated[UUID, Path(description="the task's id")]

WaitSeconds = Annotated[
    float | None,
    Query(
        alias="wait",
        ge=0,
        le=limits.WAIT_SECONDS,
        description="answer when the task is final, or after this many seconds",
    ),
    NUMBER_IN_QUERY,
]


def runtime_of(app: Starlette) -> Runtime:
    """Return what an application works with.

    Raises:
        NotStarted: it has nothing yet, or nothing any more.
    """
    runtime: Runtime | None = getattr(app, "runtime", None)
    if runtime is None:
        raise NotStarted
    return runtime


async def _runtime(request: Request) -> Runtime:
    return runtime_of(request.app)


async def _catalog(request: Request) -> Catalog:
    return runtime_of(request.app).catalog


async def _stats(request: Request) -> StatsService:
    return runtime_of(request.app).stats


async def _key(
    request: Request,
    value: Annotated[
        KeyText | None,
        Header(
            alias=_KEY,
            description="the same key with the same body again answers with the first task",
        ),
    ] = None,
) -> IdempotencyKey | None:
    if value is None:
        return None
    if len(request.headers.getlist(_KEY)) > 1:
        error = FieldError(f"/header/{_KEY}", "repeated-header", "give it once")
        raise InvalidFields("the request has two idempotency keys", [error])
    known = request.fingerprint if isinstance(request, JsonRequest) else None
    if known is not None:
        return IdempotencyKey(value, known)
    return IdempotencyKey.of(value, await request.json())


async def _prefer(
    request: Request,
    value: Annotated[
        str | None,
        Header(
            alias="Prefer",
            description="`wait=N` (N seconds, at most 60) or, for a batch, `return=minimal`; "
            "anything else is ignored (RFC 7240)",
        ),
    ] = None,
) -> Preferences:
    return Preferences() if value is None else Preferences.parse(_all(request, "Prefer"))


async def _traceparent(
    request: Request,
    value: Annotated[
        str | None,
        Header(
            alias="traceparent",
            description="W3C trace context, kept with the task; ignored if it is none",
        ),
    ] = None,
) -> str | None:
    given = [] if value is None else request.headers.getlist("traceparent")
    return valid_traceparent(given[0]) if len(given) == 1 else None


async def _if_match(
    request: Request,
    value: Annotated[
        str | None,
        Header(alias="If-Match", description="change the task only if this is its `ETag`"),
    ] = None,
) -> EntityTags | None:
    return None if value is None else EntityTags.parse("If-Match", _all(request, "If-Match"))


async def _if_none_match(
    request: Request,
    value: Annotated[
        str | None,
        Header(alias="If-None-Match", description="answer 304 if this is the task's `ETag`"),
    ] = None,
) -> EntityTags | None:
    if value is None:
        return None
    return EntityTags.parse("If-None-Match", _all(request, "If-None-Match"))


def _all(request: Request, name: str) -> str:
    """Join the lines of a list header (RFC 9110, section 5.3)."""
    return ", ".join(request.headers.getlist(name))


RuntimeDep = Annotated[Runtime, Depends(_runtime)]
CatalogDep = Annotated[Catalog, Depends(_catalog)]
StatsDep = Annotated[StatsService, Depends(_stats)]
Key = Annotated[IdempotencyKey | None, Depends(_key)]
Prefer = Annotated[Preferences, Depends(_prefer)]
Trace = Annotated[str | None, Depends(_traceparent)]
IfMatch = Annotated[EntityTags | None, Depends(_if_match)]
IfNoneMatch = Annotated[EntityTags | None, Depends(_if_none_match)]
