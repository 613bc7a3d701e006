"""The next page of a list."""

from urllib.parse import urlencode

from fastapi import Request

from taskq_server.api.prefix import address


def link(request: Request, path: str, cursor: str | None) -> dict[str, str]:
    """Return the header that names the next page (RFC 8288); none after the last page.

    Args:
        request: asked for this page.
        path: of the list.
        cursor: of the next page, if there is one.
    """
    if cursor is None:
        return {}
    given = [each for each in request.query_params.multi_items() if each[0] != "cursor"]
    query = urlencode([*given, ("cursor", cursor)])
    return {"Link": f'<{address(request.scope, f"{path}?{query}")}>; rel="next"'}
