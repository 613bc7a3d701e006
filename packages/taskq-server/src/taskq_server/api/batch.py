"""Routes that take many tasks at once."""

from fastapi import APIRouter, Request, Response

from taskq_server.api import answers
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import Key, Prefer, RuntimeDep, Trace
from taskq_server.api.openapi.responses import (
    APPLIED,
    BODY,
    LISTENERS,
    REPLAYED,
    STORE,
    UNIQUE_CONFLICT,
    failures,
    reply,
)
from taskq_server.api.strict_route import BatchRoute, StrictRoute
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
from taskq_server.schemas import wire
from taskq_server.schemas.task import SubmittedList, TaskBatch, TaskList, TaskRefs, WaitRequest

router = APIRouter(route_class=BatchRoute, tags=["tasks"])
waits = APIRouter(route_class=StrictRoute, tags=["tasks"])


@router.post(
    "/tasks/batch",
    operation_id="submit_many",
    summary="Submit many tasks",
    status_code=201,
    response_model=SubmittedList | TaskRefs,
    responses={
        **reply(
            201,
            "all tasks are stored, in this order; or the holder of an item's `unique_key`",
            UNIQUE_CONFLICT,
            LISTENERS,
            APPLIED,
        ),
        **reply(
            200,
            "the first tasks of this idempotency key, or the holders of all unique keys",
            REPLAYED,
            UNIQUE_CONFLICT,
            LISTENERS,
            APPLIED,
            model=SubmittedList | TaskRefs,
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
async def submit_many(
    batch: TaskBatch,
    request: Request,
    runtime: RuntimeDep,
    key: Key,
    prefer: Prefer,
    traceparent: Trace,
) -> Response:
    """Store up to 1,000 tasks: all of them, or none."""
    await runtime.rate_limits.take_batch(caller_of(request.scope), len(batch.items))
    new = [item.as_new_task() for item in batch.items]
    submitted = await runtime.submit.batch(
        caller_of(request.scope), new, key=key, traceparent=traceparent
    )
    headers = {}
    if submitted.replayed:
        headers["Idempotency-Replayed"] = "true"
    if submitted.has_conflict:
        headers["Unique-Conflict"] = "true"
    if not submitted.has_listeners:
        headers |= answers.NO_LISTENERS
    if prefer.minimal:
        headers["Preference-Applied"] = "return=minimal"
        items = [{"id": each.task.id} for each in submitted.details]
    else:
        items = [wire.whole(each) for each in submitted.details]
    return answers.document({"items": items}, 201 if submitted.is_new else 200, headers)


@waits.post(
    "/tasks/wait",
    operation_id="wait",
    summary="Wait for any of many tasks",
    response_model=TaskList,
    responses={
        **reply(200, "those that are final; none of them when the time is up"),
        **failures(*BODY, *STORE, TaskNotFound),
    },
)
async def wait(wanted: WaitRequest, request: Request, runtime: RuntimeDep) -> Response:
    """Wait until at least one of some tasks is final; answer with all of them that are.

    Large results may come in several answers: ask again for what is left.
    """
    with place_to_wait(request.scope):
        waiting = runtime.wait.any(caller_of(request.scope), wanted.ids, wanted.timeout_seconds)
        final = await while_allowed(request, waiting)
    return answers.document({"items": [wire.whole(each) for each in final]})
