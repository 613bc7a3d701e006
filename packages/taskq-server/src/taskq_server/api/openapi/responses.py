"""Describe the answers of routes in the OpenAPI document."""

from collections import defaultdict
from typing import Any

from taskq_server.api import errors as api
from taskq_server.api import problems
from taskq_server.domain import errors as core

Responses = dict[int | str, dict[str, Any]]

BODY = (api.InvalidJson, api.BodyTooLarge, api.UnsupportedMediaType, core.TooManyValues)
"""Errors that any body can cause."""

STORE = (core.DatabaseUnavailable,)
"""Errors that any use of the database can cause."""

LOCATION = "Location"
ETAG = "ETag"
APPLIED = "Preference-Applied"
REPLAYED = "Idempotency-Replayed"
UNIQUE_CONFLICT = "Unique-Conflict"
LISTENERS = "Queue-Listeners"
LINK = "Link"
CACHE_CONTROL = "Cache-Control"
RETRY_AFTER = "Retry-After"
RATE_LIMIT = "RateLimit"
RATE_LIMIT_POLICY = "RateLimit-Policy"
WWW_AUTHENTICATE = "WWW-Authenticate"
REQUEST_ID = "X-Request-Id"

HEADERS: dict[str, dict[str, Any]] = {
    LOCATION: {
        "description": "the address of what was stored",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    ETAG: {
        "description": "the version, for `If-Match` and `If-None-Match`; of a schedule, also how "
        "many of its times have passed",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9]+(-[0-9]+)?"$'},
    },
    APPLIED: {
        "description": "the preference that was followed (RFC 7240)",
        "schema": {"type": "string"},
    },
    REPLAYED: {
        "description": "nothing new was stored",
        "required": True,
        "schema": {"type": "string", "enum": ["true"]},
    },
    UNIQUE_CONFLICT: {
        "description": "another task holds the `unique_key`, and the answer is that task; of a "
        "batch, for at least one of its items",
        "schema": {"type": "string", "enum": ["true"]},
    },
    LISTENERS: {
        "description": "no live worker listened to the queue of a task that waits, at most two "
        "seconds ago; of a batch, to the queue of one of them",
        "schema": {"type": "string", "enum": ["0"]},
    },
    LINK: {
        "description": 'the next page, as `rel="next"` (RFC 8288)',
        "schema": {"type": "string"},
    },
    CACHE_CONTROL: {
        "description": "nobody keeps a copy of the answer",
        "required": True,
        "schema": {"type": "string", "enum": ["no-store"]},
    },
    RETRY_AFTER: {
        "description": "seconds to wait before the next try",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    RATE_LIMIT: {
        "description": "requests that the key may still send, and the seconds until it may send "
        "this one (draft-ietf-httpapi-ratelimit-headers-10)",
        "schema": {"type": "string", "pattern": '^"key";r=[0-9]+;t=[0-9]+$'},
    },
    RATE_LIMIT_POLICY: {
        "description": "the rate limit of the key: requests, and the seconds of the window",
        "schema": {"type": "string", "pattern": '^"key";q=[0-9]+;w=[0-9]+$'},
    },
    WWW_AUTHENTICATE: {
        "description": "the scheme of `Authorization` (RFC 6750)",
        "required": True,
        "schema": {"type": "string", "enum": ["Bearer"]},
    },
    REQUEST_ID: {
        "description": "the caller's, if it was safe to log, else a new one",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
    },
}


_HEADERS_OF: dict[int, tuple[str, ...]] = {
    401: (WWW_AUTHENTICATE,),
    429: (RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY),
    503: (RETRY_AFTER,),
}


def reply(status: int, description: str, *headers: str, model: Any = None) -> Responses:
    """Describe one answer.

    Args:
        status: the HTTP status.
        description: when the route gives this answer.
        headers: names from `HEADERS` that the answer can have.
        model: the body; None for no body, or for the `response_model` of the route.
    """
    described: dict[str, Any] = {"description": description, "headers": _references(headers)}
    return {status: described if model is None else {**described, "model": model}}


def failures(*errors: type[Exception], is_open: bool = False) -> Responses:
    """Describe the problems that a route can answer with.

    A value that breaks a rule, at least an unknown query parameter, and a bug are possible in every
    route and are added here; so are a request for another host, one without a key that opens, and
    one too many, unless the route is open to all.
    """
    by_status: defaultdict[int, list[problems.Kind]] = defaultdict(list)
    possible: list[type[Exception]] = [core.InvalidFields, *errors, Exception]
    if not is_open:
        possible += [core.Unauthenticated, core.PermissionDenied, api.MisdirectedRequest]
        possible.append(core.RateLimited)
    for error in possible:
        kind = problems.kind_of(error)
        by_status[kind.status].append(kind)
    return {status: _failure(status, kinds) for status, kinds in sorted(by_status.items())}


def _failure(status: int, kinds: list[problems.Kind]) -> dict[str, Any]:
    examples = {
        kind.code: {"summary": kind.title, "value": problems.example(kind)} for kind in kinds
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds),
        "headers": _references(_HEADERS_OF.get(status, ())),
        "content": {problems.MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def _references(headers: tuple[str, ...]) -> dict[str, Any]:
    names = (*headers, REQUEST_ID)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
