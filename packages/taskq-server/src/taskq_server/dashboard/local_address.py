"""Addresses in forms that say which page comes next: only pages of the dashboard do."""

import re
from urllib.parse import quote, unquote

from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.prefix import path_within
from taskq_server.dashboard.viewer import Viewer

# Browsers read `\\` as `/` and drop control characters, so that `/\\host` would be another site.
_PLAIN = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_LONGEST = 4_000
_UP = frozenset({".", ".."})


def below(viewer: Viewer, address: str | None) -> str:
    """Return an address that leads to a page of the dashboard; else that of its first page.

    Args:
        viewer: of the page that has the form.
        address: what the form says, which anybody may have written.
    """
    home = viewer.path()
    if address is None or len(address) > _LONGEST or not _PLAIN.fullmatch(address):
        return home
    path = address.partition("?")[0]
    is_below = path == home or path.startswith(f"{home}/")
    # Browsers take `%2e` for a dot here, and the next server may take `%5c` for a slash.
    read = unquote(path).replace("\\", "/")
    leads_up = not _UP.isdisjoint(read.split("/")) or "//" in read
    return address if is_below and not leads_up else home


def asked_for(viewer: Viewer) -> str:
    """Return the address of the page that a viewer has asked for, in the form that `below` takes.

    It leads to the first page where it has another form.
    """
    scope = viewer.request.scope
    path = quote(path_within(scope).removeprefix(ROOT), "/:@+=~,!$&'()*;")
    query = quote(scope["query_string"], "/:@+=~,!$&'()*;?%")
    return below(viewer, viewer.path(f"{path}?{query}" if query else path))
