"""The caller of a request, in the state of its scope.

The fast path and the routes read it there. As long as there are no keys, every request has the same
caller, who may do everything in the namespace of the settings.
"""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from taskq_server.domain.caller import Caller

_STATE = "caller"


class CallerMiddleware:
    """Put the caller into the state of each request.

    Args:
        app: serves the requests.
        caller: returns the caller of all requests; raises an error before the application has
            started.
    """

    def __init__(self, app: ASGIApp, caller: Callable[[], Caller]) -> None:
        self._app = app
        self._caller = caller

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] == "http":
            scope["state"][_STATE] = self._caller()
        return self._app(scope, receive, send)


def caller_of(scope: Scope) -> Caller:
    """Return the caller of a request.

    A route calls this itself, because FastAPI takes several microseconds for a dependency.
    """
    caller: Caller = scope["state"][_STATE]
    return caller
