"""Addresses in forms that say which page comes next: only pages of the dashboard do."""

import re

from taskq_server.dashboard.viewer import Viewer

# Browsers read `\\` as `/` and drop control characters, so that `/\\host` would be another site.
_PLAIN = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_LONGEST = 4_000


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
    return address if is_below and ".." not in path.split("/") and "//" not in path else home
