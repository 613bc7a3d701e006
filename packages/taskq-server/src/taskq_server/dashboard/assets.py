"""The files of the dashboard: those of others in `static/`, our own in `source/`."""

from importlib import resources

from fastapi import APIRouter, Response

from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.errors import NoSuchPath
from taskq_server.api.strict_route import StrictRoute

router = APIRouter(route_class=StrictRoute, include_in_schema=False)
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def url(name: str) -> str:
    """Return the path of a file below the dashboard."""
    return f"/assets/0/{name}"


@router.get(f"{ROOT}/assets/{{digest}}/{{name}}")
async def asset(digest: str, name: str) -> Response:
    """Return a file."""
    for folder in ("source", "static"):
        file = resources.files("taskq_server.dashboard") / folder / name
        if file.is_file():
            return Response(file.read_bytes(), media_type=_TYPES.get(name.rpartition(".")[2]))
    raise NoSuchPath("nothing is served under this path")
