"""Count requests and their time, by route: the outermost middleware.

A route and the fast path say in the state of the scope which route it is. Requests that reach none,
because there is none or because the guards refuse them, are `other`.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskq_server.metrics.labels import OTHER
from taskq_server.runtime import Runtime

_ROUTE = "route"
_WAITED = "waited_seconds"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Count each request when its answer begins, so that a caller who has it finds it counted.

    Args:
        app: serves the requests.
        runtime: returns what the application works with; None before it has started.
    """

    def __init__(self, app: ASGIApp, runtime: Callable[[], Runtime | None]) -> None:
        self._app = app
        self._runtime = runtime

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        runtime = self._runtime()
        if scope["type"] != "http" or runtime is None:
            return self._app(scope, receive, send)
        state = scope.setdefault("state", {})
        count = runtime.metrics.http_request
        began = perf_counter()

        def counted(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                seconds = perf_counter() - began - state.get(_WAITED, 0.0)
                method = scope["method"] if scope["method"] in _METHODS else OTHER
                count(state.get(_ROUTE, OTHER), method, str(message["status"]), seconds)
            return send(message)

        return self._app(scope, receive, counted)


def set_route(scope: Scope, path: str) -> None:
    """Say which route serves a request.

    Args:
        scope: of the request.
        path: of the route, with the names of its parameters.
    """
    scope["state"][_ROUTE] = path


def set_waited(scope: Scope, seconds: float) -> None:
    """Say for how long a request has waited because its caller wanted that."""
    scope["state"][_WAITED] = seconds
