"""Count requests and their time, by route.

A route and the fast path say in the state of the scope which route it is. Requests that reach none,
because there is none or because the guards refuse them, are `other`.
"""

from starlette.types import Scope

from taskq_server.metrics.labels import OTHER
from taskq_server.metrics.registry import Metrics

_ROUTE = "route"
_WAITED = "waited_seconds"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count(metrics: Metrics, scope: Scope, status: int, seconds: float) -> None:
    """Count a request when its answer begins, so that a caller who has it finds it counted.

    Args:
        metrics: of the process.
        scope: of the request.
        status: of the answer.
        seconds: since the request came.
    """
    state, method = scope["state"], scope["method"]
    metrics.http_request(
        state.get(_ROUTE, OTHER),
        method if method in _METHODS else OTHER,
        status,
        seconds - state.get(_WAITED, 0.0),
    )


def count_refusal(metrics: Metrics, status: int) -> None:
    """Count an answer to what is no request that could be served.

    Args:
        metrics: of the process.
        status: of the answer.
    """
    metrics.http_request(OTHER, OTHER, status, 0.0)


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
