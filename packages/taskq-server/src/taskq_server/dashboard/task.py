"""The page of one task: what it is, how its attempts went, what it was given and has returned."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api.body.reading import JSON
from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep, TaskId
from taskq_server.api.strict_route import TASK_ID
from taskq_server.dashboard import error_page
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.dashboard.rendering import HEADERS, fragment, page
from taskq_server.dashboard.task_view import TaskView
from taskq_server.domain.errors import TaskqError
from taskq_server.domain.task import TaskDetails

router = APIRouter(route_class=PageRoute)

Since = Annotated[int | None, Query(ge=0)]


@router.get(f"{ROOT}/tasks/{TASK_ID}", operation_id="get")
async def task(
    task_id: TaskId,
    request: Request,
    runtime: RuntimeDep,
    attempts: Annotated[Literal["all"] | None, Query()] = None,
) -> Response:
    """Show a task, with its newest attempts or all."""
    details = await runtime.read.get(caller_of(request.scope), task_id)
    return page_of(request, details, since=None if attempts is None else 0)


@router.get(f"{ROOT}/tasks/{TASK_ID}/parts", operation_id="get")
async def parts(
    task_id: TaskId, request: Request, runtime: RuntimeDep, since: Since = None
) -> Response:
    """Show all of a task that may change, for a page that follows it."""
    caller = caller_of(request.scope)
    details = await runtime.read.get(caller, task_id)
    view = TaskView.of(details, caller, since)
    return fragment(request, "task_parts.html", view=view, expanded=None)


@router.get(f"{ROOT}/tasks/{TASK_ID}/payload.json", operation_id="get")
async def payload(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Return the whole payload as a file."""
    details = await runtime.read.get(caller_of(request.scope), task_id)
    return _file(f"task-{task_id}-payload.json", details.task.payload)


@router.get(f"{ROOT}/tasks/{TASK_ID}/result.json", operation_id="get")
async def result(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Return the whole result as a file; of a task that has none, the API's null."""
    details = await runtime.read.get(caller_of(request.scope), task_id)
    return _file(f"task-{task_id}-result.json", details.result or "null")


def page_of(
    request: Request,
    details: TaskDetails,
    *,
    status: int = 200,
    since: int | None = None,
    said: str = "",
    error: TaskqError | None = None,
) -> Response:
    """Return the page of a task.

    Args:
        request: asked for it.
        details: the task, or its outline.
        status: of the answer, unless there is an error.
        since: the oldest attempt to show; the newest when None.
        said: what was done, in the viewer's language.
        error: why what the viewer asked for was not done.
    """
    view = TaskView.of(details, caller_of(request.scope), since)
    problem = None if error is None else error_page.problem(request, error)
    return page(
        request,
        "task.html",
        status=problem["status"] if problem else status,
        view=view,
        expanded=view.attempts[0].ended.attempt if view.attempts else None,
        said=said,
        problem=problem,
    )


def _file(name: str, document: str) -> Response:
    # What a handler says must stay a file: no browser shows it as a page of this server.
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(document.encode("utf-8", "replace"), 200, headers, JSON)
