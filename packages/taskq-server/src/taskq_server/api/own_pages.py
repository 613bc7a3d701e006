"""Which page has sent a request: one of this server, or one of another site.

Browsers say it in `Sec-Fetch-Site`, and older ones in `Origin` only; no page can choose either.
"""

from starlette.datastructures import Headers

_SITE = "sec-fetch-site"
_OWN = "same-origin"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def may_be_own(headers: Headers) -> bool:
    """Return whether nothing says that a page of another host has sent a request."""
    if any("cross-site" in value.lower() for value in headers.getlist(_SITE)):
        return False
    return not headers.getlist("origin") or _has_own_origin(headers)


def is_own(headers: Headers) -> bool:
    """Return whether a browser says that a page of this very origin has sent a request.

    What newer browsers say themselves needs no Host, which a proxy may have changed.
    """
    sites = headers.getlist(_SITE)
    return sites == [_OWN] if sites else _has_own_origin(headers)


def _has_own_origin(headers: Headers) -> bool:
    """Return whether Origin and Host are equal; their schemes may differ behind a proxy."""
    origins, hosts = headers.getlist("origin"), headers.getlist("host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    scheme, _, host = origins[0].lower().partition("://")
    default = _DEFAULT_PORTS.get(scheme, "")
    return bool(host) and host.removesuffix(default) == hosts[0].lower().removesuffix(default)
