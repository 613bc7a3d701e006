"""Bulk operations: how far they are, and a way to stop them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import JsonValue

from taskq_server.api.bulk import OperationId
from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard import task_filters
from taskq_server.dashboard.page_route import ActionRoute, PageRoute
from taskq_server.dashboard.rendering import fragment, page, see_other
from taskq_server.domain import limits
from taskq_server.domain.bulk import Operation, State
from taskq_server.schemas.bulk import BulkQuery
from taskq_server.schemas.fields import NUMBER_IN_QUERY

router = APIRouter(route_class=PageRoute)
actions = APIRouter(route_class=ActionRoute)

_ONE = f"{ROOT}/bulk/{{operation_id:task_id}}"

Expected = Annotated[int | None, Query(alias="of", ge=0, lt=10**9), NUMBER_IN_QUERY]


@dataclass(frozen=True, slots=True)
class _Shown:
    """An operation as pages show it.

    Attributes:
        operation: as it is stored.
        expected: tasks that were counted before it began; None where nobody knows.
    """

    operation: Operation
    expected: int | None = None

    @property
    def filter(self) -> dict[str, JsonValue]:
        """The filters that its maker gave."""
        return task_filters.members(self.operation.filter)

    @property
    def pairs(self) -> list[tuple[str, JsonValue]]:
        """The same as names and values of an address."""
        return task_filters.pairs(self.filter)

    @property
    def changes(self) -> dict[str, JsonValue]:
        """The changes of an update; empty for other actions."""
        return task_filters.members(self.operation.changes or "{}")

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.operation.state is State.RUNNING

    @property
    def most(self) -> int | None:
        """The tasks that it will have looked at when it ends; None where nobody knows."""
        if not self.is_running:
            return self.operation.matched
        if self.expected is None:
            return None
        return max(
            min(self.expected, self.operation.limit, limits.BULK_TASKS), self.operation.matched
        )


@router.get(f"{ROOT}/bulk", operation_id="bulk_operations")
async def operations(
    query: Annotated[BulkQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Show bulk operations, the newest first."""
    found = await runtime.bulk.list(
        caller_of(request.scope), query.states, limit=query.limit, cursor=query.cursor
    )
    given = [("state", each) for each in query.state]
    return page(
        request,
        "bulk.html",
        operations=[_Shown(each) for each in found.items],
        next_cursor=found.next_cursor,
        is_first=query.cursor is None,
        states=query.state,
        query=given if query.limit == 50 else [*given, ("limit", query.limit)],
    )


@router.get(_ONE, operation_id="get_bulk")
async def operation(
    operation_id: OperationId, request: Request, runtime: RuntimeDep, expected: Expected = None
) -> Response:
    """Show one operation."""
    found = await runtime.bulk.get(caller_of(request.scope), operation_id)
    return page(request, "bulk_operation.html", shown=_Shown(found, expected))


@router.get(f"{_ONE}/progress", operation_id="get_bulk")
async def progress(
    operation_id: OperationId, request: Request, runtime: RuntimeDep, expected: Expected = None
) -> Response:
    """Show how far it is, for a page that follows it."""
    found = await runtime.bulk.get(caller_of(request.scope), operation_id)
    return fragment(request, "bulk_progress.html", shown=_Shown(found, expected))


@actions.post(f"{_ONE}/stop", operation_id="stop_bulk")
async def stop(
    operation_id: OperationId, request: Request, runtime: RuntimeDep, expected: Expected = None
) -> Response:
    """Stop an operation after its present batch."""
    await runtime.bulk.stop(caller_of(request.scope), operation_id)
    of = "" if expected is None else f"?of={expected}"
    return see_other(request, f"/bulk/{operation_id}{of}")
