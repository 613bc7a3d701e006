"""Every error as an RFC 9457 problem: one table says the status, the code and the title."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from taskq_server.api import errors as api
from taskq_server.api.body.reading import MERGE_PATCH
from taskq_server.api.body.strict_json import pointer
from taskq_server.domain import errors as core
from taskq_server.domain.task import Status
from taskq_server.domain.unique import Holder

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100
"""How many broken rules one answer lists."""

_EXAMPLE = Holder(UUID("019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"), Status.RUNNING)

_log = logging.getLogger("taskq.server.api")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem. The code is stable; the title has the words that runbooks use."""

    status: int
    code: str
    title: str


KINDS: Mapping[type[Exception], Kind] = {
    api.InvalidJson: Kind(400, "invalid-json", "Invalid JSON"),
    api.MalformedRequest: Kind(400, "malformed-request", "Malformed request"),
    api.InvalidHeader: Kind(400, "invalid-header", "Invalid header"),
    core.Unauthenticated: Kind(401, "unauthenticated", "Unauthenticated"),
    core.PermissionDenied: Kind(403, "forbidden", "Permission denied"),
    api.NoSuchPath: Kind(404, "not-found", "Not found"),
    core.TaskNotFound: Kind(404, "task-not-found", "Task not found"),
    core.OperationNotFound: Kind(404, "operation-not-found", "Bulk operation not found"),
    core.ScheduleNotFound: Kind(404, "schedule-not-found", "Schedule not found"),
    core.KeyNotFound: Kind(404, "key-not-found", "Key not found"),
    api.MethodNotAllowed: Kind(405, "method-not-allowed", "Method not allowed"),
    api.SlowRequest: Kind(408, "request-timeout", "Request timeout"),
    core.IllegalTransition: Kind(409, "invalid-transition", "Invalid status transition"),
    core.UniqueConflict: Kind(409, "unique-conflict", "Unique key is taken"),
    core.TooManyOperations: Kind(409, "too-many-operations", "Too many bulk operations"),
    core.DeclaredInCode: Kind(409, "declared-in-code", "Declared in code"),
    core.KeyEnded: Kind(409, "key-ended", "Key has ended"),
    core.VersionMismatch: Kind(412, "version-mismatch", "Version mismatch"),
    api.BodyTooLarge: Kind(413, "body-too-large", "Content too large"),
    api.UnsupportedMediaType: Kind(415, "unsupported-media-type", "Unsupported media type"),
    api.MisdirectedRequest: Kind(421, "misdirected-request", "Misdirected request"),
    core.InvalidFields: Kind(422, "invalid-request", "Validation failed"),
    core.UnknownHandler: Kind(422, "unknown-handler", "Unknown handler"),
    core.UnusableHandler: Kind(422, "unusable-handler", "Unusable handler schema"),
    core.TooManyValues: Kind(422, "too-many-values", "Too many values"),
    core.InvalidPayload: Kind(422, "invalid-payload", "Invalid payload"),
    core.InvalidSchedule: Kind(422, "invalid-schedule", "Invalid schedule"),
    core.UnknownTimezone: Kind(422, "unknown-timezone", "Unknown time zone"),
    core.QuotaExceeded: Kind(422, "quota-exceeded", "Quota exceeded"),
    core.IdempotencyMismatch: Kind(422, "idempotency-mismatch", "Idempotency key mismatch"),
    core.InvalidCursor: Kind(422, "invalid-cursor", "Invalid cursor"),
    core.RateLimited: Kind(429, "rate-limited", "Too many requests"),
    api.HeadTooLarge: Kind(431, "head-too-large", "Request header fields too large"),
    api.NotStarted: Kind(500, "not-started", "Application not started"),
    Exception: Kind(500, "internal-error", "Internal server error"),
    core.Unavailable: Kind(503, "unavailable", "Service unavailable"),
    core.DatabaseUnavailable: Kind(503, "database-unavailable", "Database unavailable"),
    api.TooManyConnections: Kind(503, "too-many-connections", "Too many connections"),
}


def kind_of(error: Exception | type[Exception]) -> Kind:
    """Return the entry of the nearest class in the table."""
    cls = error if isinstance(error, type) else type(error)
    return next(KINDS[base] for base in cls.__mro__ if base in KINDS)


def body(
    kind: Kind,
    request_id: str,
    detail: str = "",
    errors: Sequence[core.FieldError] = (),
    holder: Holder | None = None,
) -> dict[str, Any]:
    """Return the members of a problem.

    Args:
        kind: of the problem.
        request_id: of the request.
        detail: what happened this time; the title stands in for a missing one.
        errors: the broken rules.
        holder: of a unique key that is taken; it has a member of its own (RFC 9457, section 3.2).
    """
    members = {
        "type": f"urn:taskq:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.title,
        "instance": f"urn:taskq:request:{request_id}",
        "code": kind.code,
        "request_id": request_id,
        "errors": [asdict(each) for each in errors[:MAX_ERRORS]],
    }
    if kind is KINDS[core.UniqueConflict]:
        known = holder and {"id": str(holder.task_id), "status": str(holder.status)}
        members["task"] = known
    return members


def example(kind: Kind) -> dict[str, Any]:
    """Return a problem of a kind, for documents."""
    return body(kind, "c0ffee", holder=_EXAMPLE)


class _Answer(Response):
    """A problem on its way out, which the log tells of: its request id can be found there."""

    def __init__(
        self, problem: Mapping[str, Any], kind: Kind, request_id: str, error: Exception
    ) -> None:
        # A lone surrogate, wherever it came from, must not break the answer.
        content = json.dumps(problem, ensure_ascii=False).encode("utf-8", "replace")
        super().__init__(content, kind.status, dict(headers(error)), MEDIA_TYPE)
        self._kind = kind
        self._request_id = request_id
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        error = self._error if self._kind is KINDS[Exception] else None
        tell(self._request_id, f"{scope['method']} {scope['path']}", self._kind, error)
        await super().__call__(scope, receive, send)


def tell(request_id: str, what: str, kind: Kind, error: Exception | None = None) -> None:
    """Log that a request is answered with a problem.

    Args:
        request_id: of the request.
        what: was asked for.
        kind: of the problem.
        error: whose traceback is to be seen.
    """
    level = logging.ERROR if kind.status >= 500 else logging.DEBUG
    _log.log(
        level, "request %s: %s is answered with %d %s",
        request_id, what, kind.status, kind.code, exc_info=error,
    )  # fmt: skip


def answer(request_id: str, error: Exception) -> Response:
    """Return the problem that says `error`; of a bug, it says nothing but that there is one."""
    return _Answer(members(request_id, error), kind_of(error), request_id, error)


def members(request_id: str, error: Exception) -> dict[str, Any]:
    """Return the members of the problem that says `error`; see `answer`."""
    kind = kind_of(error)
    detail = "" if kind is KINDS[Exception] else str(error)
    errors = error.errors if isinstance(error, core.InvalidFields) else ()
    holder = error.holder if isinstance(error, core.UniqueConflict) else None
    return body(kind, request_id, detail, errors, holder)


def expected(request_id: str, error: core.TaskqError) -> Response:
    """Return the problem that says `error`; one that nobody expects is raised again: a bug."""
    if kind_of(error) is KINDS[Exception]:
        raise error
    return answer(request_id, error)


def install(app: FastAPI) -> None:
    """Let `app` answer every error with a problem; what is left, the middleware catches."""
    app.add_exception_handler(core.TaskqError, _taskq_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _hung_up)


def headers(error: Exception) -> Mapping[str, str]:
    """Return the headers that go with an error."""
    match error:
        case core.Unavailable():
            return {"Retry-After": str(error.retry_after)}
        case core.RateLimited():
            return _rate_headers(error)
        case core.Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case api.MethodNotAllowed():
            return {"Allow": ", ".join(error.allowed)}
        case api.UnsupportedMediaType():
            name = "Accept-Patch" if MERGE_PATCH in error.accepted else "Accept"
            return {name: ", ".join(error.accepted)}
        case HTTPException():
            return error.headers or {}
        case _:
            return {}


def _rate_headers(error: core.RateLimited) -> Mapping[str, str]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers-10, and the one that is final."""
    after = {"Retry-After": str(error.retry_after)}
    if error.limit is None:
        return after
    return after | {
        "RateLimit-Policy": f'"key";q={error.limit.requests};w={error.limit.seconds}',
        "RateLimit": f'"key";r={error.remaining};t={error.retry_after}',
    }


async def _taskq_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, core.TaskqError)
    return expected(request.state.request_id, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return answer(request.state.request_id, invalid_fields(error.errors()))


def invalid_fields(errors: Sequence[Mapping[str, Any]]) -> core.InvalidFields:
    """Return the error that says what pydantic has found; `errors` has at least one item."""
    broken = [_field_error(each) for each in errors[:MAX_ERRORS]]
    more = f"; and {len(broken) - 1} more" if len(broken) > 1 else ""
    detail = f"{broken[0].pointer or 'the body'}: {broken[0].detail}{more}"
    return core.InvalidFields(detail, broken)


_CODES = {
    "model_attributes_type": "not-an-object",
    "dict_type": "not-an-object",
    "extra_forbidden": "unknown-field",
    "literal_error": "not-one-of",
    "value_error": "invalid-value",
}


def _field_error(error: Mapping[str, Any]) -> core.FieldError:
    where: Sequence[str | int] = error["loc"]
    kind: str = error["type"]
    return core.FieldError(
        pointer=pointer(tuple(where[1:] if where[0] == "body" else where)),
        code=_CODES.get(kind, kind.replace("_", "-")),
        detail=error["msg"].removeprefix("Value error, "),
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return answer(request.state.request_id, api.MethodNotAllowed(_allowed(request)))
    if error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return answer(request.state.request_id, api.NoSuchPath("nothing is served under this path"))
    return _of_a_dependency(request.state.request_id, error)


def _of_a_dependency(request_id: str, error: HTTPException) -> Response:
    """Return what a dependency of the application's owner has raised; its code is the phrase."""
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    try:
        phrase = HTTPStatus(error.status_code).phrase
    except ValueError:
        phrase = f"Status {error.status_code}"
    kind = Kind(error.status_code, re.sub("[^a-z0-9]+", "-", phrase.lower()), phrase)
    said: Any = error.detail  # FastAPI's takes any JSON
    detail = said if isinstance(said, str) else json.dumps(said)
    return _Answer(body(kind, request_id, detail), kind, request_id, error)


_STATIC_METHODS = {"GET", "HEAD"}


def _allowed(request: Request) -> set[str]:
    """Return the methods of every route with this path; Starlette names those of the first."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found or _STATIC_METHODS


class _Nothing(Response):
    """No answer, because the caller has closed the connection, or was answered for the server."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


async def _hung_up(request: Request, error: Exception) -> Response:
    return _Nothing()
