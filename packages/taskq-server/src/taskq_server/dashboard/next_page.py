"""The page to show after a form that any page may have: addresses below the dashboard, only."""

import re
from typing import Final
from urllib.parse import quote, unquote

from fastapi import Request

from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.prefix import path_within
from taskq_server.dashboard.viewer import stranger

NEXT: Final = "next"
"""The name of the parameter and of the field."""

_MOST_BYTES = 2_000
_PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without a backslash, which may be a slash
_UP = frozenset({".", ".."})


def here(request: Request) -> str | None:
    """Return the address of the page that was asked for; None where it is the first one anyway."""
    scope = request.scope
    behind = quote(path_within(scope).removeprefix(ROOT), "/:@+=~")
    query = scope["query_string"].decode("latin-1")
    there = _root(request) + (f"{behind}?{query}" if query else behind)
    return None if there == _root(request) else followed(request, there)


def or_first(request: Request, there: str | None) -> str:
    """Return an address that is followed, else that of the first page."""
    return there or _root(request)


def followed(request: Request, wanted: str | None) -> str | None:
    """Return an address if it is one of the dashboard's own pages, else None.

    Args:
        request: has sent the address.
        wanted: anything.
    """
    if wanted is None or len(wanted) > _MOST_BYTES or not _PLAIN.fullmatch(wanted):
        return None
    path = re.split("[?#]", wanted, maxsplit=1)[0]
    root = _root(request)
    segments = unquote(path.removeprefix(root)).replace("\\", "/").split("/")
    is_below = path == root or path.startswith(f"{root}/")
    return wanted if is_below and _UP.isdisjoint(segments) else None


def _root(request: Request) -> str:
    return stranger(request).path()
