"""Routes of single tasks, and their list."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api import answers, pages
from taskq_server.api.body.reading import MERGE_PATCH
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import (
    IfMatch,
    IfNoneMatch,
    Prefer,
    RuntimeDep,
    TaskId,
    WaitSeconds,
)
from taskq_server.api.errors import InvalidHeader, NoSuchPath
from taskq_server.api.headers import entity_tag
from taskq_server.api.openapi.responses import (
    APPLIED,
    BODY,
    ETAG,
    LINK,
    STORE,
    failures,
    reply,
)
from taskq_server.api.strict_route import TASK_ID, StrictRoute
from taskq_server.api.waits import place_to_wait, while_allowed
from taskq_server.domain.errors import (
    IllegalTransition,
    InvalidCursor,
    QuotaExceeded,
    TaskNotFound,
    UniqueConflict,
    UnknownHandler,
    VersionMismatch,
)
from taskq_server.domain.task import Status
from taskq_server.schemas import wire
from taskq_server.schemas.query import TaskQuery
from taskq_server.schemas.task import AttemptList, TaskPage, TaskRead, TaskUpdate

router = APIRouter(route_class=StrictRoute, tags=["tasks"])

_ONE = (*STORE, TaskNotFound, NoSuchPath)
_MERGE_PATCH = {
    "requestBody": {
        "content": {MERGE_PATCH: {"schema": {"$ref": "#/components/schemas/TaskUpdate"}}}
    }
}


@router.get(
    "/tasks",
    operation_id="list",
    summary="List tasks",
    response_model=TaskPage,
    responses={
        **reply(200, "one page; it may be short, or empty, and still have a next one", LINK),
        **failures(*STORE, InvalidCursor),
    },
)
async def list_tasks(
    query: Annotated[TaskQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """List tasks without payload, result and errors, the newest first unless told otherwise."""
    wanted = query.as_filter()
    page = await runtime.read.list(
        caller_of(request.scope), wanted, limit=query.limit, cursor=query.cursor
    )
    body = {"items": [wire.item(each) for each in page.items], "next_cursor": page.next_cursor}
    headers = pages.link(request, "/tasks", page.next_cursor)
    return answers.document(body, headers=headers)


@router.get(
    f"/tasks/{TASK_ID}",
    operation_id="get",
    summary="Get a task, or wait for it",
    response_model=TaskRead,
    responses={
        **reply(200, "the task", ETAG, APPLIED),
        **reply(304, "the caller has this version", ETAG, APPLIED),
        **failures(*_ONE, InvalidHeader),
    },
)
async def get(
    task_id: TaskId,
    request: Request,
    runtime: RuntimeDep,
    prefer: Prefer,
    if_none_match: IfNoneMatch,
    wait: WaitSeconds = None,
) -> Response:
    """Return a task, at once or when it is final."""
    caller = caller_of(request.scope)
    headers = {}
    if wait is None and prefer.wait is not None:
        wait = prefer.wait
        headers["Preference-Applied"] = f"wait={prefer.wait}"
    if wait:
        with place_to_wait(request.scope):
            details = await while_allowed(request, runtime.wait.one(caller, task_id, wait))
    else:
        details = await runtime.read.get(caller, task_id)
    version = details.task.version
    if if_none_match is not None and if_none_match.match_weakly(version):
        return Response(status_code=304, headers={"ETag": entity_tag(version), **headers})
    return answers.task(details, headers=headers)


@router.patch(
    f"/tasks/{TASK_ID}",
    operation_id="update",
    summary="Change a task",
    response_model=TaskRead,
    openapi_extra=_MERGE_PATCH,
    responses={
        **reply(200, "the changed task", ETAG),
        **failures(
            *BODY,
            *_ONE,
            InvalidHeader,
            IllegalTransition,
            VersionMismatch,
            UnknownHandler,
            QuotaExceeded,
        ),
    },
)
async def update(
    task_id: TaskId, changes: TaskUpdate, request: Request, runtime: RuntimeDep, if_match: IfMatch
) -> Response:
    """Change a task: a JSON merge patch (RFC 7396).

    `title`, `description` and `tags` can change always; `priority`, `max_retries` and
    `timeout_seconds` until the task is final; `run_at` while it waits.
    """
    caller = caller_of(request.scope)
    version = None
    if if_match is not None:
        version = (await runtime.read.shown(caller, task_id)).task.version
        if not if_match.match_strongly(version):
            raise VersionMismatch(f"the task is at version {version}")
    wanted = changes.as_changes()
    return answers.task(await runtime.change.update(caller, task_id, wanted, version=version))


@router.delete(
    f"/tasks/{TASK_ID}",
    operation_id="delete",
    summary="Delete a task",
    status_code=204,
    responses={
        **reply(204, "the task is gone"),
        **failures(*_ONE, IllegalTransition),
    },
)
async def delete(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Delete a task with all that belongs to it; cancel it first if it runs."""
    await runtime.change.delete(caller_of(request.scope), task_id)
    return Response(status_code=204)


@router.post(
    f"/tasks/{TASK_ID}/cancel",
    operation_id="cancel",
    summary="Cancel a task",
    response_model=TaskRead,
    responses={
        **reply(200, "the task is cancelled", ETAG),
        **reply(202, "the task runs; its worker will interrupt it", ETAG, model=TaskRead),
        **failures(*_ONE, IllegalTransition),
    },
)
async def cancel(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Cancel a task: at once while it waits, within about a second while it runs."""
    details = await runtime.change.cancel(caller_of(request.scope), task_id)
    return answers.task(details, 202 if details.task.status is Status.RUNNING else 200)


@router.post(
    f"/tasks/{TASK_ID}/retry",
    operation_id="retry",
    summary="Retry a task",
    response_model=TaskRead,
    responses={
        **reply(200, "the task is queued again", ETAG),
        **failures(*_ONE, IllegalTransition, UniqueConflict, QuotaExceeded),
    },
)
async def retry(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """Queue a failed or cancelled task again, with all its retries; its attempts stay."""
    return answers.task(await runtime.change.retry(caller_of(request.scope), task_id))


@router.get(
    f"/tasks/{TASK_ID}/attempts",
    operation_id="attempts",
    summary="List the attempts of a task",
    response_model=AttemptList,
    responses={**reply(200, "the attempts, oldest first"), **failures(*_ONE)},
)
async def attempts(task_id: TaskId, request: Request, runtime: RuntimeDep) -> Response:
    """List the ended attempts of a task, with the traceback of those that failed."""
    return answers.document(
        {"items": wire.attempts(await runtime.read.attempts(caller_of(request.scope), task_id))}
    )
