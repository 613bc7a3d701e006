"""Errors as pages: the API's sentences, and a way back."""

from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from taskq_server.api import problems
from taskq_server.api.caller import known_caller
from taskq_server.dashboard import rendering
from taskq_server.dashboard.viewer import stranger, viewer_of
from taskq_server.domain.errors import TaskqError


def of(request: Request, error: Exception) -> Response:
    """Return the page that says what is wrong; of a bug, it says nothing but that there is one."""
    if isinstance(error, RequestValidationError):
        error = problems.invalid_fields(error.errors())
    said = _told(request, error)
    is_known = known_caller(request.scope) is not None
    answer = rendering.page(
        request,
        "error.html",
        viewer=viewer_of(request) if is_known else stranger(request),
        status=said["status"],
        problem=said,
    )
    answer.headers.update(problems.headers(error))
    return answer


def problem(request: Request, error: TaskqError) -> dict[str, Any]:
    """Return the members of the API's problem, for a page that says it beside its form.

    Raises:
        TaskqError: nobody expects this error: a bug.
    """
    if problems.kind_of(error) is problems.KINDS[Exception]:
        raise error
    return _told(request, error)


def _told(request: Request, error: Exception) -> dict[str, Any]:
    kind, request_id = problems.kind_of(error), request.state.request_id
    bug = error if kind is problems.KINDS[Exception] else None
    problems.tell(request_id, f"{request.method} {request.url.path}", kind, bug)
    return problems.members(request_id, error)
