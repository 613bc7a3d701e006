"""Workers: those that live, and what each of them runs now."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.dashboard.rendering import fragment, page
from taskq_server.runtime import Runtime
from taskq_server.schemas.worker import WorkerQuery

router = APIRouter(route_class=PageRoute)

Asked = Annotated[WorkerQuery, Query()]


@router.get(f"{ROOT}/workers", operation_id="workers")
async def workers(query: Asked, request: Request, runtime: RuntimeDep) -> Response:
    """Show a page of the live workers, those that have started last first."""
    return page(request, "workers.html", **await _shown(query, request, runtime))


@router.get(f"{ROOT}/workers/table", operation_id="workers")
async def table(query: Asked, request: Request, runtime: RuntimeDep) -> Response:
    """Show their table alone, for a page that follows them."""
    return fragment(request, "workers_table.html", **await _shown(query, request, runtime))


async def _shown(query: WorkerQuery, request: Request, runtime: Runtime) -> dict[str, Any]:
    caller = caller_of(request.scope)
    found = await runtime.workers.list(caller, limit=query.limit, cursor=query.cursor)
    return {
        "workers": found.items,
        "next_cursor": found.next_cursor,
        "query": [("limit", query.limit)] if "limit" in query.model_fields_set else [],
        "cursor": query.cursor,
    }
