"""Proxies in front of the server: the prefix that they add to paths, and the trusted networks."""

import ipaddress
import re
from collections.abc import Collection

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST = 255
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~@:+=-]+)*/?")


def path_prefix(text: str) -> str:
    """Return the prefix in `text` without a slash at its end; `/` becomes an empty prefix.

    Raises:
        ValueError: the text cannot be the beginning of a path.
    """
    if len(text) > _LONGEST or not _PREFIX.fullmatch(text):
        raise ValueError(
            f"must be the beginning of a path, such as /queue: at most {_LONGEST} letters, digits "
            "and any of . _ ~ @ : + = - between single slashes, but no . or .. alone"
        )
    return text.removesuffix("/")


def network(text: str) -> Network:
    """Return the network in `text`; a single address is a network of its own.

    Raises:
        ValueError: the text is neither a network nor an address.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            "must be addresses and networks, such as 10.0.0.7, 10.0.0.0/8 (not 10.0.0.7/8) or "
            "fd00::/8"
        ) from None


def is_in(networks: Collection[Network], host: str) -> bool:
    """Return whether one of the networks contains the address `host`.

    A dual-stack socket shows an IPv4 address as an IPv6 address (RFC 4291, 2.5.5.2).
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any(address in each or (mapped is not None and mapped in each) for each in networks)
