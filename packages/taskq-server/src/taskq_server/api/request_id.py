"""The outermost middleware: each request gets an id, and each error becomes an answer."""

import logging
import re
import secrets
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskq_server.api import problems

Fields = Iterable[tuple[bytes, bytes]]

HEADER = "X-Request-Id"
PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"

_FIELD = HEADER.lower().encode()
_SANE = re.compile(PATTERN.removesuffix("$") + r"\Z")
_log = logging.getLogger("taskq.server.api")


class RequestIdMiddleware:
    """Take the caller's `X-Request-Id` if it is safe to log, or make a new id; send it back.

    An error without an answer becomes a 500 problem without details.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = choose(scope["headers"])
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def tagged(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                others = [field for field in message.get("headers", ()) if field[0] != _FIELD]
                message["headers"] = [*others, (_FIELD, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, tagged)
        except Exception as error:
            if started:
                method, path = scope["method"], scope["path"]
                _log.exception("request %s: %s %s failed half-way", request_id, method, path)
                raise
            await problems.answer(request_id, error)(scope, receive, tagged)


def choose(fields: Fields) -> str:
    """Return the id in the header fields of a request if it is safe to log, or a new id."""
    for name, value in fields:  # the first one counts
        if name == _FIELD:
            given = value.decode("latin-1")
            return given if _SANE.match(given) else secrets.token_hex(16)
    return secrets.token_hex(16)
