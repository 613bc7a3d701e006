"""The route of `POST /tasks`."""

from contextlib import suppress
from dataclasses import replace

from fastapi import APIRouter, Request, Response

from taskq_server.api import answers
from taskq_server.api.dependencies import Key, Prefer, RuntimeDep, Trace
from taskq_server.api.openapi.responses import (
    APPLIED,
    BODY,
    ETAG,
    LOCATION,
    REPLAYED,
    STORE,
    failures,
    reply,
)
from taskq_server.api.strict_route import StrictRoute
from taskq_server.domain.errors import (
    IdempotencyMismatch,
    InvalidPayload,
    QuotaExceeded,
    TaskNotFound,
    UnknownHandler,
    UnusableHandler,
)
from taskq_server.schemas.task import TaskCreate, TaskRead

router = APIRouter(route_class=StrictRoute, tags=["tasks"])


@router.post(
    "/tasks",
    operation_id="submit",
    status_code=201,
    response_model=TaskRead,
    responses={
        **reply(201, "the task is stored", LOCATION, ETAG, APPLIED),
        **reply(
            200,
            "the first task of this idempotency key",
            LOCATION,
            ETAG,
            REPLAYED,
            APPLIED,
            model=TaskRead,
        ),
        **failures(
            *BODY,
            *STORE,
            UnknownHandler,
            UnusableHandler,
            InvalidPayload,
            QuotaExceeded,
            IdempotencyMismatch,
        ),
    },
)
async def submit(
    new: TaskCreate,
    request: Request,
    runtime: RuntimeDep,
    key: Key,
    prefer: Prefer,
    traceparent: Trace,
) -> Response:
    """Store a task; a worker runs it as soon as it is due and one is free."""
    submitted = await runtime.submit.one(new.as_new_task(), key=key, traceparent=traceparent)
    headers = {}
    if prefer.wait is not None:
        headers["Preference-Applied"] = f"wait={prefer.wait}"
        with suppress(TaskNotFound):  # deleted meanwhile: it was stored all the same
            waiting = runtime.wait.one(submitted.details.task.id, prefer.wait)
            details = await answers.while_connected(request, waiting)
            submitted = replace(submitted, details=details)
    return answers.submitted(submitted, request.scope, headers)
