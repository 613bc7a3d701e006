"""What a viewer does with a task: cancel it, retry it, delete it."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep, TaskId
from taskq_server.api.strict_route import TASK_ID
from taskq_server.dashboard.page_route import ActionRoute
from taskq_server.dashboard.rendering import see_other, translated
from taskq_server.dashboard.task import page_of
from taskq_server.dashboard.viewer import viewer_of
from taskq_server.domain.errors import (
    IllegalTransition,
    QuotaExceeded,
    TaskqError,
    UniqueConflict,
)
from taskq_server.domain.task import Status, TaskDetails
from taskq_server.runtime import Runtime

actions = APIRouter(route_class=ActionRoute)


@actions.post(f"{ROOT}/tasks/{TASK_ID}/cancel", operation_id="cancel")
async def cancel(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Cancel a task, or ask its worker to."""
    try:
        details = await runtime.change.cancel(caller_of(request.scope), task_id)
    except IllegalTransition as error:
        return await _refused(request, runtime, task_id, error)
    if details.task.status is Status.RUNNING:
        asked = translated(
            request, "The task runs: its worker was asked to cancel it, within about a second."
        )
        return _done(request, details, asked, status=202)
    return _done(request, details, translated(request, "The task is cancelled."))


@actions.post(f"{ROOT}/tasks/{TASK_ID}/retry", operation_id="retry")
async def retry(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Queue a failed or cancelled task again, with all its retries."""
    try:
        details = await runtime.change.retry(caller_of(request.scope), task_id)
    except (IllegalTransition, UniqueConflict, QuotaExceeded) as error:
        return await _refused(request, runtime, task_id, error)
    return _done(request, details, translated(request, "The task is queued again."))


@actions.post(f"{ROOT}/tasks/{TASK_ID}/delete", operation_id="delete")
async def delete(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Delete a task with all that belongs to it."""
    try:
        await runtime.change.delete(caller_of(request.scope), task_id)
    except IllegalTransition as error:
        return await _refused(request, runtime, task_id, error)
    there = "/tasks" if viewer_of(request).sees("list") else ""
    return see_other(request, there, translated(request, "The task is deleted."))


def _done(request: Request, details: TaskDetails, said: str, status: int = 200) -> Response:
    """Lead to the task's page; a caller who does not see the task gets its outline here."""
    if caller_of(request.scope).sees(details.task.submitted_by):
        return see_other(request, f"/tasks/{details.task.id}", said)
    return page_of(request, details, status=status, said=said)


async def _refused(
    request: Request, runtime: Runtime, task_id: UUID, error: TaskqError
) -> Response:
    """Show the task as it is now, and why nothing was done."""
    details = await runtime.read.shown(caller_of(request.scope), task_id)
    return page_of(request, details, error=error)
