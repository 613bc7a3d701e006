"""Check the host that a request is meant for, and the site that it comes from.

Any page in a browser may send requests to this machine, and a page whose name was made to point
here (DNS rebinding) may read the answers, too. Without API keys, only the headers distinguish such
requests from those of the browser's user.
"""

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache, partial

from starlette.types import Scope

from taskq_server.api.errors import MisdirectedRequest

_LOCAL = frozenset({"localhost", "*.localhost"})
_LOOKED_AT = frozenset({b"host", b"origin", b"sec-fetch-site"})
_REMEMBERED = 64
_AUTHORITY = re.compile(
    rb"(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::[0-9]{0,5})?"
)
_ORIGIN = re.compile(rb"https?://(.+)")

Fields = tuple[tuple[bytes, bytes], ...]


class AllowedHosts:
    """The hosts that requests may be meant for, and may come from the pages of.

    `localhost`, names below it and loopback addresses are always allowed, with any port. A request
    must have exactly one Host.

    Args:
        names: further names and addresses; `*.` in front stands for all names below.
    """

    def __init__(self, names: Collection[str]) -> None:
        allowed = _LOCAL.union(names)
        self._objection = lru_cache(_REMEMBERED)(partial(_objection, allowed))

    def check(self, scope: Scope) -> None:
        """Check a request by its headers.

        Raises:
            MisdirectedRequest: the request is meant for another host, or comes from its pages.
        """
        self._check(_looked_at(scope))

    def check_host(self, scope: Scope) -> None:
        """Check whom a request is meant for, wherever it comes from.

        Raises:
            MisdirectedRequest: the request is meant for another host.
        """
        self._check(tuple(field for field in _looked_at(scope) if field[0] == b"host"))

    def _check(self, fields: Fields) -> None:
        objection = self._objection(fields)
        if objection:
            raise MisdirectedRequest(objection)


def names_this_machine(scope: Scope) -> bool:
    """Return whether a request is meant for a name of loopback, in exactly one Host."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return len(hosts) == 1 and _is_allowed(_LOCAL, hosts[0].strip())


def _looked_at(scope: Scope) -> Fields:
    return tuple([(name, value) for name, value in scope["headers"] if name in _LOOKED_AT])


def _objection(allowed: Collection[str], fields: Fields) -> str:
    """Return a sentence about what is wrong with a request with these fields, or an empty one."""
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1:
        return "say in exactly one Host which server the request is meant for"
    if not _is_allowed(allowed, hosts[0].strip()):
        return (
            "the request is meant for another host than this one: use localhost or a loopback "
            "address, or have the host named in TASKQ_ALLOWED_HOSTS"
        )
    if not _comes_from_allowed_page(allowed, fields):
        return (
            "the request comes from a page of another site: have its host named in "
            "TASKQ_ALLOWED_HOSTS"
        )
    return ""


def _comes_from_allowed_page(allowed: Collection[str], fields: Fields) -> bool:
    """Return whether an allowed page or no page sent the request.

    A browser that sends `cross-site` without an Origin does not tell the site.
    """
    origins = [value for name, value in fields if name == b"origin"]
    if not origins:
        sites = [value.lower() for name, value in fields if name == b"sec-fetch-site"]
        return not any(b"cross-site" in site for site in sites)
    page = _ORIGIN.fullmatch(origins[0].strip().lower())
    return len(origins) == 1 and page is not None and _is_allowed(allowed, page[1])


def _is_allowed(allowed: Collection[str], authority: bytes) -> bool:
    found = _AUTHORITY.fullmatch(authority.lower())
    if found is None:
        return False
    if found[1]:
        return _is_allowed_ipv6(allowed, found[1].decode())
    name = found[2].decode()
    return name in allowed or _is_loopback(name) or _is_below(allowed, name)


def _is_allowed_ipv6(allowed: Collection[str], text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return str(address) in allowed or (address.ipv4_mapped or address).is_loopback


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False


def _is_below(allowed: Collection[str], name: str) -> bool:
    return any(name.endswith(each[1:]) for each in allowed if each.startswith("*."))
