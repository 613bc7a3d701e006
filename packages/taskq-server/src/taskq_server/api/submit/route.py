"""The route of `POST /tasks`, and what it has in common with the fast path."""

from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope

from taskq_server.api import answers
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import Key, Prefer, RuntimeDep, Trace
from taskq_server.api.headers import Preferences
from taskq_server.api.openapi.responses import (
    APPLIED,
    BODY,
    ETAG,
    LISTENERS,
    LOCATION,
    REPLAYED,
    STORE,
    UNIQUE_CONFLICT,
    failures,
    reply,
)
from taskq_server.api.strict_route import StrictRoute
from taskq_server.api.waits import place_to_wait, while_allowed
from taskq_server.domain.errors import (
    IdempotencyMismatch,
    InvalidPayload,
    QuotaExceeded,
    TaskNotFound,
    UniqueConflict,
    UnknownHandler,
    UnusableHandler,
)
from taskq_server.runtime import Runtime
from taskq_server.schemas.task import TaskCreate, TaskHolder, TaskRead
from taskq_server.services.submission import IdempotencyKey

router = APIRouter(route_class=StrictRoute, tags=["tasks"])

_NO_PREFERENCES = Preferences()


@router.post(
    "/tasks",
    operation_id="submit",
    summary="Submit a task",
    status_code=201,
    response_model=TaskRead,
    responses={
        **reply(201, "the task is stored", LOCATION, ETAG, LISTENERS, APPLIED),
        **reply(
            200,
            "the first task of this idempotency key, or the holder of the `unique_key`",
            LOCATION,
            ETAG,
            REPLAYED,
            UNIQUE_CONFLICT,
            LISTENERS,
            APPLIED,
            model=TaskRead | TaskHolder,
        ),
        **failures(
            *BODY,
            *STORE,
            UnknownHandler,
            UnusableHandler,
            InvalidPayload,
            QuotaExceeded,
            UniqueConflict,
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
    wanted = SubmitRequest(new, key, traceparent, prefer)
    # Before the task is stored: whoever finds no place to wait can send the request again.
    with nullcontext() if prefer.wait is None else place_to_wait(request.scope):
        return await respond(runtime, wanted, request.scope, request.receive)


class SubmitRequest(NamedTuple):
    """A request to submit, once it has been read."""

    new: TaskCreate
    key: IdempotencyKey | None = None
    traceparent: str | None = None
    prefer: Preferences = _NO_PREFERENCES


async def respond(
    runtime: Runtime, wanted: SubmitRequest, scope: Scope, receive: Receive
) -> Response:
    """Store a task and return the answer; the route and the fast path both end here.

    Raises:
        Rejected: the task cannot be taken.
    """
    caller = caller_of(scope)
    submitted = await runtime.submit.one(
        caller, wanted.new.as_new_task(), key=wanted.key, traceparent=wanted.traceparent
    )
    headers = {}
    wait = wanted.prefer.wait
    if wait is not None:
        headers["Preference-Applied"] = f"wait={wait}"
        with suppress(TaskNotFound):  # deleted meanwhile: it was stored all the same
            waiting = runtime.wait.submitted(caller, submitted.details.task.id, wait)
            details = await while_allowed(Request(scope, receive), waiting)
            has_listener = submitted.has_listener or not details.task.status.waiting
            details = replace(details, is_hidden=submitted.details.is_hidden)
            submitted = submitted._replace(details=details, has_listener=has_listener)
    return answers.submitted(submitted, scope, headers)
