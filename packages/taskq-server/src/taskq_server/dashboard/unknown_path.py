"""Paths below the dashboard under which there is nothing: a page says so, and leads back."""

from fastapi import APIRouter, Request, Response

from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.errors import NoSuchPath
from taskq_server.dashboard.page_route import PageRoute

router = APIRouter(route_class=PageRoute)


@router.api_route(f"{ROOT}/{{rest:path}}", methods=["GET", "POST"], operation_id="root")
async def unknown_page(rest: str, request: Request) -> Response:
    """Say that there is no such page; the last of all routes, because it takes all paths.

    Raises:
        NoSuchPath: always.
    """
    raise NoSuchPath("nothing is served under this path")
