"""Routes of bulk operations: one action on all tasks that a filter finds."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from taskq_server.api import answers, pages, prefix
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import Key, RuntimeDep
from taskq_server.api.errors import NoSuchPath
from taskq_server.api.openapi.responses import (
    BODY,
    LINK,
    LOCATION,
    REPLAYED,
    STORE,
    Responses,
    failures,
    reply,
)
from taskq_server.api.strict_route import StrictRoute
from taskq_server.domain.bulk import Operation
from taskq_server.domain.errors import (
    IdempotencyMismatch,
    InvalidCursor,
    OperationNotFound,
    TooManyOperations,
)
from taskq_server.domain.task import Status
from taskq_server.schemas.bulk import (
    BulkCount,
    BulkCreate,
    BulkPage,
    BulkQuery,
    BulkRead,
    shown,
)
from taskq_server.services.bulk import Count

router = APIRouter(route_class=StrictRoute, tags=["bulk"])

_ONE = "/bulk/{operation_id:task_id}"
OperationId = Annotated[UUID, Path(description="the operation's id")]


def _begun() -> Responses:
    begun = reply(202, "the operation, which janitors work through", LOCATION, model=BulkRead)
    begun[202]["headers"][REPLAYED] = {
        "description": "an earlier request with the same key has begun the operation",
        "schema": {"type": "string", "enum": ["true"]},
    }
    return begun


@router.post(
    "/tasks/bulk",
    operation_id="bulk",
    summary="Change all tasks that a filter finds",
    status_code=202,
    responses={
        **reply(200, "the count of a `dry_run`", model=BulkCount),
        **_begun(),
        **failures(*BODY, *STORE, IdempotencyMismatch, TooManyOperations),
    },
)
async def bulk(wanted: BulkCreate, request: Request, runtime: RuntimeDep, key: Key) -> Response:
    """Retry, cancel, delete or update the tasks that a filter finds, in the background.

    The operation works through what was there when it began, in the order of ids, in batches. Each
    task is judged under its lock: one that no longer matches or allows the action is skipped, and
    so is a final task that ended after the operation began.
    """
    caller = caller_of(request.scope)
    new = wanted.as_new_operation()
    if wanted.dry_run:
        count = await runtime.bulk.count(caller, new.action, new.wanted)
        return answers.document(_counted(count))
    begun = await runtime.bulk.begin(caller, new, key)
    headers = {"Location": prefix.address(request.scope, f"/bulk/{begun.operation.id}")}
    if begun.replayed:
        headers[REPLAYED] = "true"
    return _answer(begun.operation, 202, headers)


@router.get(
    "/bulk",
    operation_id="bulk_operations",
    summary="List bulk operations",
    response_model=BulkPage,
    responses={
        **reply(200, "one page, the newest first", LINK),
        **failures(*STORE, InvalidCursor),
    },
)
async def list_operations(
    query: Annotated[BulkQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """List bulk operations; those that have ended are kept as long as tasks."""
    page = await runtime.bulk.list(
        caller_of(request.scope), query.states, limit=query.limit, cursor=query.cursor
    )
    body = {"items": [shown(each) for each in page.items], "next_cursor": page.next_cursor}
    return answers.document(body, headers=pages.link(request, "/bulk", page.next_cursor))


@router.get(
    _ONE,
    operation_id="get_bulk",
    summary="Get a bulk operation",
    response_model=BulkRead,
    responses={
        **reply(200, "the operation, and how far it is"),
        **failures(*STORE, OperationNotFound, NoSuchPath),
    },
)
async def get(operation_id: OperationId, request: Request, runtime: RuntimeDep) -> Response:
    """Tell how far an operation is."""
    return _answer(await runtime.bulk.get(caller_of(request.scope), operation_id))


@router.post(
    f"{_ONE}/stop",
    operation_id="stop_bulk",
    summary="Stop a bulk operation",
    response_model=BulkRead,
    responses={
        **reply(200, "the operation, which changes nothing from now on"),
        **failures(*STORE, OperationNotFound, NoSuchPath),
    },
)
async def stop(operation_id: OperationId, request: Request, runtime: RuntimeDep) -> Response:
    """Stop an operation after the batch under way; one that has ended stays as it is."""
    return _answer(await runtime.bulk.stop(caller_of(request.scope), operation_id))


def _answer(
    operation: Operation, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return answers.document(shown(operation), status, headers)


def _counted(count: Count) -> dict[str, object]:
    by_status = {status.value: count.by_status[status] for status in Status}
    return {"count": count.by_status.total(), "exact": count.exact, "by_status": by_status}
