"""Tags: those in use, and how many tasks carry each."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.dashboard.rendering import page
from taskq_server.domain import limits

_SHOWN = 500

router = APIRouter(route_class=PageRoute)

Prefix = Annotated[
    str, Query(max_length=limits.TAG_LENGTH, description="how the names begin; empty: all")
]


@router.get(f"{ROOT}/tags", operation_id="tags")
async def tags(request: Request, runtime: RuntimeDep, prefix: Prefix = "") -> Response:
    """Show the tags that begin with a prefix, the first 500 by name."""
    every = await runtime.catalog.tags(caller_of(request.scope))
    found = [one for one in every if one.name.startswith(prefix)]
    return page(
        request,
        "tags.html",
        tags=found[:_SHOWN],
        more=max(0, len(found) - _SHOWN),
        prefix=prefix,
        is_unused=not every,
    )
