"""Hosts that requests name, and origins of web pages as browsers write them (RFC 6454)."""

import ipaddress
import re

_ORIGIN = re.compile(
    r"(https?)://(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*))(?::([0-9]{1,5}))?"
)
_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HIGHEST_PORT = 65_535


def origin(text: str) -> str:
    """Return the origin in `text` as browsers write it: in lower case, without a default port.

    Raises:
        ValueError: the text is not exactly one origin.
    """
    if "*" in text:
        raise ValueError("name each origin, because * would open the API to the pages of any site")
    found = _ORIGIN.fullmatch(text.lower())
    try:
        if found is None:
            raise ValueError
        scheme, ipv6, name, port = found.groups()
        host = f"[{ipaddress.IPv6Address(ipv6)}]" if ipv6 else name
        number = int(port or _DEFAULT_PORTS[scheme])
        if not 1 <= number <= _HIGHEST_PORT:
            raise ValueError
    except ValueError:
        raise ValueError(
            "must be origins, without a path and a slash at the end, such as "
            "https://app.example.com or http://localhost:3000"
        ) from None
    is_default = number == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{number}"


def host(text: str) -> str:
    """Return a host in the form in which requests name it; `*.` stands for all names below.

    Raises:
        ValueError: it is no name and no address.
    """
    name = text.lower().removesuffix(".")
    if _HOST.fullmatch(name):
        return name
    try:
        return str(ipaddress.IPv6Address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError(
            "must be names or addresses without scheme, port and path, such as tasks.example.com "
            "or *.example.com"
        ) from None
