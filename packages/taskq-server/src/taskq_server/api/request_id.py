"""The outermost middleware: each request gets an id, and each error becomes an answer."""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskq_server.api import problems
from taskq_server.api.access_log import AccessLog
from taskq_server.api.caller import known_caller
from taskq_server.api.request_metrics import count
from taskq_server.core.log_context import About, Fields
from taskq_server.domain.traces import valid_traceparent
from taskq_server.metrics.registry import Metrics
from taskq_server.services.task_log import trace_id

HEADER = "X-Request-Id"
PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"

_FIELD = HEADER.lower().encode()
_TRACE = b"traceparent"
_SANE = re.compile(PATTERN.removesuffix("$") + r"\Z")
_log = logging.getLogger("taskq.server.api")


class RequestIdMiddleware:
    """Take the caller's `X-Request-Id` if it is safe to log, or make a new id; send it back.

    An error without an answer becomes a 500 problem without details. Lines of the log that are
    written meanwhile say which request they are about, and whose it is.

    Args:
        app: serves the requests.
        access_log: is told of each request.
        metrics: returns what counts it; None before the application has started. It is counted
            here, because another middleware would have to look at the clock for itself, and to
            look at each message: that costs several times what the count does.
    """

    def __init__(
        self, app: ASGIApp, access_log: AccessLog, metrics: Callable[[], Metrics | None]
    ) -> None:
        self._app = app
        self._access_log = access_log
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = choose(scope["headers"])
        scope.setdefault("state", {})["request_id"] = request_id
        began = perf_counter()
        status: int | None = None

        def tagged(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                metrics = self._metrics()
                if metrics is not None:
                    count(metrics, scope, status, perf_counter() - began)
                others = [field for field in message.get("headers", ()) if field[0] != _FIELD]
                message["headers"] = [*others, (_FIELD, request_id.encode())]
            return send(message)

        with About(partial(_fields, scope)):
            try:
                await self._app(scope, receive, tagged)
            except Exception as error:
                if status is not None:
                    method, path = scope["method"], scope["path"]
                    _log.exception("request %s: %s %s failed half-way", request_id, method, path)
                    raise
                await problems.answer(request_id, error)(scope, receive, tagged)
            finally:
                if self._access_log.is_on:
                    self._access_log.tell(scope, status, perf_counter() - began)


def choose(fields: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id in the header fields of a request if it is safe to log, or a new id."""
    for name, value in fields:  # the first one counts
        if name == _FIELD:
            given = value.decode("latin-1")
            return given if _SANE.match(given) else secrets.token_hex(16)
    return secrets.token_hex(16)


def _fields(scope: Scope) -> Fields:
    """Return the fields of lines about a request, with its caller once that is known."""
    fields: dict[str, str | int] = {"request_id": scope["state"]["request_id"]}
    caller = known_caller(scope)
    if caller is not None:
        fields["namespace"] = caller.namespace
        if caller.key_id is not None:
            fields["key_id"] = caller.key_id
    trace = dict(scope["headers"]).get(_TRACE, b"").decode("latin-1")
    if valid_traceparent(trace):
        fields["trace_id"] = trace_id(trace)
    return fields
