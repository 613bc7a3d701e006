"""What the guard answers to a browser in place of the API's problem."""

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.types import Scope

from taskq_server.api import problems
from taskq_server.dashboard import error_page, local_address
from taskq_server.dashboard.viewer import Viewer, stranger
from taskq_server.domain.errors import TaskqError, Unauthenticated

_STREAM = "text/event-stream"


def of_page(scope: Scope, error: TaskqError) -> Response:
    """Return the answer to a request for the dashboard that is refused.

    Who asks for a page without a session is led to the sign-in and back. Programs get the API's
    problem: what reads streams, and what swaps parts of a page.

    Raises:
        TaskqError: nobody expects this error: a bug.
    """
    request = Request(scope)
    if _is_of_script(request):
        return problems.expected(request.state.request_id, error)
    if isinstance(error, Unauthenticated) and request.method in ("GET", "HEAD"):
        viewer = stranger(request)
        there = viewer.path("/sign-in", [("next", _unless_first(viewer))])
        return RedirectResponse(there, 303, {"Cache-Control": "no-store"})
    return error_page.of(request, error)


def _unless_first(viewer: Viewer) -> str | None:
    there = local_address.asked_for(viewer)
    return None if there == viewer.path() else there


def _is_of_script(request: Request) -> bool:
    return "hx-request" in request.headers or _STREAM in request.headers.get("accept", "")
