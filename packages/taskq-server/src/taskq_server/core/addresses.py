"""Addresses to listen on: a port, or a host and a port."""

import ipaddress
import re
import socket
from typing import NamedTuple, Self

_LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s\[\]:/?#@]*)):([0-9]{1,5})|([0-9]{1,5})")
_HIGHEST_PORT = 65_535
_QUEUED = 128


class Address(NamedTuple):
    """A host and a port; 0 stands for a free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address that is meant: without a host, that of loopback.

        Raises:
            ValueError: the text is no such address.
        """
        found = _ADDRESS.fullmatch(text.strip())
        if found is not None:
            ipv6, name, port, alone = found.groups()
            number = int(port or alone)
            if number <= _HIGHEST_PORT:
                return cls(ipv6 or name or _LOOPBACK, number)
        raise ValueError(
            "must be a port, or a host and a port, such as 9100, 127.0.0.1:9100, 0.0.0.0:9100 or "
            "[::1]:9100"
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def listen(self) -> socket.socket:
        """Return a socket that listens here.

        Raises:
            OSError, UnicodeError: that is impossible.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
            listener.listen(_QUEUED)
        except BaseException:
            listener.close()
            raise
        return listener


def is_loopback(host: str) -> bool:
    """Return whether this host is this machine, and nobody else can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
