"""Proxies in front of the server: whom they speak for, the prefix they add, and which to trust."""

import ipaddress
import re
from collections.abc import Collection, Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Networks = Collection[Network]

LOOPBACK: Networks = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))
"""The addresses that nobody but this machine has."""

_LONGEST = 255
_HOP = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}|[0-9A-Fa-f:.]+")
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


def is_in(networks: Networks, host: str) -> bool:
    """Return whether one of the networks contains the address `host`.

    A dual-stack socket shows an IPv4 address as an IPv6 address (RFC 4291, 2.5.5.2).
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any(address in each or (mapped is not None and mapped in each) for each in networks)


def caller_address(networks: Networks, peer: str, forwarded: Iterable[str]) -> str:
    """Return the address of a caller: the last one of its way that is no trusted proxy.

    Args:
        networks: of the trusted proxies; whatever others say of themselves counts for nothing.
        peer: the address that the connection comes from.
        forwarded: the values of `X-Forwarded-For`, to which each proxy adds its own peer.
    """
    address = peer
    for hop in reversed([each for value in forwarded for each in value.split(",")]):
        if not is_in(networks, address):
            break
        before = _without_port(hop.strip())
        if before is None:
            break
        address = before
    return address


def neighbourhood(address: str) -> str:
    """Return what stands for an address where callers are counted: IPv6 by /64, IPv4 as it is.

    Whoever has one address of IPv6 has as many as a /64 has.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _without_port(hop: str) -> str | None:
    found = _HOP.fullmatch(hop)
    if found is None:
        return None
    text = found[1] or found[2] or hop
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
