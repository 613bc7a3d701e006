"""Handlers: what workers have published, and where it leads."""

import json

from fastapi import APIRouter, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.dashboard.plain_text import readable_json
from taskq_server.dashboard.rendering import page

router = APIRouter(route_class=PageRoute)


@router.get(f"{ROOT}/handlers", operation_id="handlers")
async def handlers(request: Request, runtime: RuntimeDep) -> Response:
    """Show the published handlers that the caller is told of."""
    listed = await runtime.catalog.handlers(caller_of(request.scope))
    shown = [(each, readable_json(json.dumps(each.schema, ensure_ascii=False))) for each in listed]
    return page(request, "handlers.html", handlers=shown)
