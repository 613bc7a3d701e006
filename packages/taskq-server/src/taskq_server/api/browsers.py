"""What web pages may do: security headers, CORS, and requests that no browser asks about first.

A browser sends a page's request to another site as it is if a form could have sent it; whatever a
form cannot send, it announces by a preflight, which only pages of listed origins get answered.
"""

from collections.abc import Awaitable, Callable, Collection

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskq_server.api import own_pages
from taskq_server.api.allowed_hosts import AllowedHosts
from taskq_server.api.body.reading import JSON
from taskq_server.api.dashboard_path import is_of_dashboard
from taskq_server.api.errors import MisdirectedRequest
from taskq_server.api.openapi.responses import HEADERS as OF_ANSWERS

Fields = tuple[tuple[bytes, bytes], ...]

_POLICY = b"content-security-policy"
_BESIDE_POLICY: Fields = (
    (b"x-content-type-options", b"nosniff"),
    # `no-referrer` would make a form's Origin null, and so its page one of another site.
    (b"referrer-policy", b"same-origin"),
)
HEADERS: Fields = (*_BESIDE_POLICY, (_POLICY, b"default-src 'none'; frame-ancestors 'none'"))
"""On every answer; a page for people has a policy of its own."""

ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"),
    *("Last-Event-ID", "Prefer", "Taskq-Namespace", "traceparent", "X-Request-Id"),
)
"""The headers that pages of listed origins may send."""

EXPOSED_HEADERS = (*OF_ANSWERS, "Accept", "Accept-Patch", "Allow")
"""The headers that pages of listed origins may read."""

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": ", ".join(ALLOWED_HEADERS),
    "Access-Control-Max-Age": "600",
}
_VARY: Fields = ((b"vary", b"Origin"),)
_EXPOSE = (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode())
_OF_PAGES = frozenset({b"origin", b"sec-fetch-site"})


class Browsers:
    """Put security headers on every answer, and let in pages of listed origins (CORS).

    A page that is let in is one that may do whatever its key may, so what is inside sees a request
    that no page has sent. Its preflights are answered here. Cookies and other credentials that a
    browser adds by itself are not let in. The server's own pages stay what they are, listed or not.

    Args:
        app: serves the requests.
        origins: returns the listed origins; none before the application has started.
    """

    def __init__(self, app: ASGIApp, origins: Callable[[], Collection[str]]) -> None:
        self._app = app
        self._origins = origins

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        app, listed = self._app, self._origins()
        more: Fields = ()
        if listed:
            origin = _only(scope, b"origin")
            is_listed = origin.decode("latin-1") in listed and not _is_own(scope)
            more = (*_VARY, (b"access-control-allow-origin", origin)) if is_listed else _VARY
            if is_listed and _is_preflight(scope):
                app = Response(status_code=204, headers=_PREFLIGHT)
            elif is_listed:
                more = (*more, _EXPOSE)
                scope = _without_page(scope)

        def marked(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                fields = message.get("headers", ())
                own = _BESIDE_POLICY if _POLICY in dict(fields) else HEADERS
                message["headers"] = [*fields, *own, *more]
            return send(message)

        return app(scope, receive, marked)


class OwnPages:
    """Refuse each POST that a page of another site can send without a preflight.

    That is one without a JSON body, such as that which cancels a task, and without a key. Basic
    authentication does not make up for the key, because a browser sends it by itself. Of forms of
    the dashboard the guard has asked for more.

    Args:
        app: serves the requests.
        hosts: where pages may come from, where only this machine reaches the port; None where
            others may reach it: there a page must come from the host that the request is meant for.
    """

    def __init__(self, app: ASGIApp, hosts: AllowedHosts | None) -> None:
        self._app = app
        self._hosts = hosts

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request.

        Raises:
            MisdirectedRequest: it comes from a page of another site.
        """
        if (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and _is_of_page(scope)
            and not is_of_dashboard(scope)
        ):
            headers = Headers(scope=scope)
            if not _needs_preflight(headers):
                self._check(scope, headers)
        return self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        if self._hosts is not None:
            self._hosts.check(scope)
        elif not own_pages.may_be_own(headers):
            raise MisdirectedRequest(
                "the request comes from a page of another site: send a key, or have the origin "
                "listed in TASKQ_CORS_ORIGINS"
            )


def _only(scope: Scope, wanted: bytes) -> bytes:
    """Return the value of a header that is there once, else nothing."""
    values: list[bytes] = [value for name, value in scope["headers"] if name == wanted]
    return values[0] if len(values) == 1 else b""


def _is_preflight(scope: Scope) -> bool:
    is_asking = b"access-control-request-method" in dict(scope["headers"])
    return is_asking and scope["method"] == "OPTIONS"


def _is_of_page(scope: Scope) -> bool:
    return not _OF_PAGES.isdisjoint(dict(scope["headers"]))


def _is_own(scope: Scope) -> bool:
    return own_pages.is_own(Headers(scope=scope))


def _without_page(scope: Scope) -> Scope:
    fields = [field for field in scope["headers"] if field[0] not in _OF_PAGES]
    return {**scope, "headers": fields}


def _needs_preflight(headers: Headers) -> bool:
    """Return whether a browser asks before it sends a page's POST like this to another site."""
    if any(value.lower().startswith("bearer ") for value in headers.getlist("authorization")):
        return True
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    types = [value.partition(";")[0].strip().lower() for value in headers.getlist("content-type")]
    return has_body and types == [JSON]
