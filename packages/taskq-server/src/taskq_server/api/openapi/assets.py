"""Scripts and styles of the pages that show the document, without anything from elsewhere."""

import os
from functools import lru_cache
from os import PathLike
from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse, Response
from starlette.types import Scope

_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NOTHING = b"data:,"


class Assets(StaticFiles):
    """Static files; ReDoc's script is sent without the logo that it would load from elsewhere.

    The policy of the page forbids that, so the browser would complain about it.
    """

    def file_response(
        self,
        full_path: "str | PathLike[str]",
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return a file, or that it has not changed."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        if not isinstance(response, FileResponse) or Path(full_path).name != "redoc.standalone.js":
            return response
        headers = {name: response.headers[name] for name in ("etag", "last-modified")}
        return Response(_without_logo(Path(full_path)), status_code, headers, response.media_type)


@lru_cache(maxsize=1)
def _without_logo(script: Path) -> bytes:
    return script.read_bytes().replace(_LOGO, _NOTHING)
