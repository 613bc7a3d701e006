"""The fast path of `POST /tasks`: a request in perfect order is answered without FastAPI.

FastAPI describes the route and could answer every request, but its machinery costs several times
what the submit costs. A request with anything unusual about it (a query, a preference, a body in
pieces or with very many values, a value that breaks a rule) is handed on untouched, and FastAPI's
route says what is wrong.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from pydantic import TypeAdapter, ValidationError
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskq_server.api import access, problems
from taskq_server.api.body import reading as body
from taskq_server.api.body import strict_json
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import Key, Prefer, RuntimeDep, Trace, runtime_of
from taskq_server.api.headers import KeyText
from taskq_server.api.prefix import path_within
from taskq_server.api.request_metrics import set_route
from taskq_server.api.strict_route import StrictRoute
from taskq_server.api.submit.route import SubmitRequest, respond, submit
from taskq_server.domain.errors import Rejected, TaskqError
from taskq_server.domain.traces import valid_traceparent
from taskq_server.schemas.task import TaskCreate
from taskq_server.services.submission import IdempotencyKey

_PATH = "/tasks"
_ACCEPTED = (body.JSON,)
_ACCESS = access.of("submit")
_KEY = TypeAdapter(KeyText)
_REPLACED = [get_args(each)[1].dependency for each in (RuntimeDep, Key, Prefer, Trace)]
"""The dependencies of the route whose work is done here."""

_log = logging.getLogger("taskq.server.api")


class SubmitFastPath:
    """Serve what is in perfect order, hand everything else on to `app`.

    It belongs between the guards and FastAPI: nothing that has to see every submit may come behind
    it. Where the route of `POST /tasks` has dependencies that are not taskq's own, or some are
    overridden, all is handed on, because FastAPI alone runs them.

    Args:
        app: FastAPI's own stack.
        routes: what it serves.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        submits = [
            each for each in routes if isinstance(each, StrictRoute) and each.endpoint is submit
        ]
        foreign = [_name(call) for each in submits for call in _foreign(each.dependant)]
        self._is_open = bool(submits) and not foreign
        if foreign:
            _log.warning(
                "POST /tasks goes without its fast path, because that would not run %s",
                ", ".join(foreign),
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = _ordinary_headers(scope) if self._is_open else None
        if headers is None:
            await self._app(scope, receive, send)
            return
        set_route(scope, _PATH)
        api: FastAPI = scope["app"]
        runtime = runtime_of(api)
        if api.dependency_overrides or not _announces(headers, runtime.settings.max_body_bytes):
            await self._app(scope, receive, send)
            return
        try:
            _ACCESS.check(caller_of(scope))
        except TaskqError as error:
            refusal = problems.expected(scope["state"]["request_id"], error)
            await refusal(scope, receive, send)
            return
        message = await receive()
        wanted = _read(headers, message)
        if wanted is None:
            await self._app(scope, _again(message, receive), send)
            return
        try:
            response = await respond(runtime, wanted, scope, receive)
        except TaskqError as error:
            response = problems.expected(scope["state"]["request_id"], error)
        await response(scope, receive, send)


def _foreign(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """Yield the dependencies whose work is not done here."""
    for each in dependant.dependencies:
        if each.call is not None and not any(each.call is own for own in _REPLACED):
            yield each.call
        yield from _foreign(each)


def _name(call: Callable[..., Any]) -> str:
    named = call if hasattr(call, "__qualname__") else type(call)
    return f"{named.__module__}.{named.__qualname__}"


def _ordinary_headers(scope: Scope) -> dict[bytes, bytes] | None:
    """Return the headers of a submit with nothing unusual about it."""
    if scope["type"] != "http" or scope["method"] != "POST" or path_within(scope) != _PATH:
        return None
    given: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(given)
    repeated = len(headers) < len(given)
    if scope["query_string"] or repeated or b"prefer" in headers:
        return None
    return headers


def _announces(headers: dict[bytes, bytes], max_bytes: int) -> bool:
    """Say whether a body will come that the route takes, of a length that is known."""
    length = headers.get(b"content-length", b"").decode("latin-1")
    media_type = headers.get(b"content-type", b"").decode("latin-1")
    coding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    return length.isdecimal() and not body.refusal(media_type, coding, length, _ACCEPTED, max_bytes)


def _read(headers: dict[bytes, bytes], message: Message) -> SubmitRequest | None:
    """Return what the request says, or None if FastAPI has to look at it."""
    raw = message.get("body", b"")
    if message.get("more_body") or strict_json.is_large(raw):
        return None
    given, trace = headers.get(b"idempotency-key"), headers.get(b"traceparent")
    key = None
    try:
        document = strict_json.parse(raw)
        new = TaskCreate.model_validate(document)
        if given is not None:
            text = _KEY.validate_python(given.decode("latin-1"))
            key = IdempotencyKey.of(text, document)
    except (Rejected, ValidationError):
        return None
    return SubmitRequest(
        new, key, None if trace is None else valid_traceparent(trace.decode("latin-1"))
    )


def _again(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that begins with a message that was taken already."""
    taken = [message]

    async def again() -> Message:
        return taken.pop() if taken else await receive()

    return again
