"""The fast path of `POST /tasks`: a request in perfect order is answered without FastAPI.

FastAPI describes the route and could answer every request, but its machinery costs several times
what the submit costs. A request with anything unusual about it (a query, a preference, a body in
pieces or with very many values, a value that breaks a rule) is handed on untouched, and FastAPI's
route says what is wrong.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskq_server.api import answers, problems
from taskq_server.api.body import reading as body
from taskq_server.api.body import strict_json
from taskq_server.api.headers import valid_traceparent
from taskq_server.api.prefix import path_within
from taskq_server.domain.errors import Rejected, TaskqError
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import TaskCreate
from taskq_server.services.submission import IdempotencyKey

_JSON = body.JSON.encode()
_DIGITS = 18
_KEY = re.compile(rb"[ -~]{1,255}")
_UNUSUAL = (b"prefer", b"content-encoding")


@dataclass(frozen=True, slots=True)
class _Submit:
    new: TaskCreate
    key: IdempotencyKey | None
    traceparent: str | None


class SubmitFastPath:
    """Serve what is in perfect order, hand everything else on to `app`.

    Args:
        app: FastAPI's own stack.
        runtime: what this process works with, once it has started.
    """

    def __init__(self, app: ASGIApp, runtime: Callable[[], Runtime]) -> None:
        self._app = app
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = _ordinary_headers(scope)
        if headers is None or not self._has_allowed_body(headers):
            await self._app(scope, receive, send)
            return
        message = await receive()
        submit = _read(headers, message)
        if submit is None:
            await self._app(scope, _again(message, receive), send)
            return
        try:
            submitted = await self._runtime().submit.one(
                submit.new.as_new_task(), key=submit.key, traceparent=submit.traceparent
            )
            response = answers.submitted(submitted, scope)
        except TaskqError as error:
            response = problems.expected(scope["state"]["request_id"], error)
        await response(scope, receive, send)

    def _has_allowed_body(self, headers: dict[bytes, bytes]) -> bool:
        length = headers.get(b"content-length", b"")
        most = self._runtime().settings.max_body_bytes
        is_short = length.isdigit() and len(length) < _DIGITS and int(length) <= most
        return is_short and headers.get(b"content-type") == _JSON


def _ordinary_headers(scope: Scope) -> dict[bytes, bytes] | None:
    """Return the headers of a submit with nothing unusual about it."""
    if scope["type"] != "http" or scope["method"] != "POST" or path_within(scope) != "/tasks":
        return None
    given: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(given)
    repeated = len(headers) < len(given)
    if scope["query_string"] or repeated or any(name in headers for name in _UNUSUAL):
        return None
    return headers


def _read(headers: dict[bytes, bytes], message: Message) -> _Submit | None:
    """Return the submit, or None if FastAPI has to look at it."""
    given_key = headers.get(b"idempotency-key")
    if message.get("more_body") or (given_key is not None and not _KEY.fullmatch(given_key)):
        return None
    raw = message.get("body", b"")
    if strict_json.is_large(raw):
        return None
    try:
        document = strict_json.parse(raw)
        new = TaskCreate.model_validate(document)
    except (Rejected, ValidationError):
        return None
    key = None if given_key is None else IdempotencyKey.of(given_key.decode(), document)
    trace = headers.get(b"traceparent")
    return _Submit(new, key, None if trace is None else valid_traceparent(trace.decode("latin-1")))


def _again(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that begins with a message that was taken already."""
    taken = [message]

    async def again() -> Message:
        return taken.pop() if taken else await receive()

    return again
