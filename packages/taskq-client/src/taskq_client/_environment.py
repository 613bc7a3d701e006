"""The settings of the network in the environment: the proxy, and the certificates to trust."""

import os
import re
import ssl
from importlib import import_module
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

import httpx

from taskq_client._settings import Secret
from taskq_client._urls import shown
from taskq_client.errors import ConfigurationError

_CERTIFICATES = {"SSL_CERT_FILE": "file", "SSL_CERT_DIR": "folder"}
_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(r"(?:(?P<scheme>\w+)://)?(?P<name>\[.*\](?:/\d+)?|[^:]*)(?::(?P<port>\d+))?")


class Proxy(NamedTuple):
    """A proxy, and what names it: a variable, or the settings of the system."""

    setting: str
    proxy: httpx.Proxy


def proxy_for(url: str) -> Proxy | None:
    """Choose the proxy for a server, if one is set; this machine is reached without.

    Raises:
        ConfigurationError: The proxy cannot be used.
    """
    setting, text = _named(urlsplit(url))
    if not text.reveal():
        return None
    proxy = _read(text)
    if proxy is None:
        what = f"{setting}={shown(text.reveal() or '')!r}"
        raise ConfigurationError(
            f"{what} is not the url of a proxy such as http://proxy.example:3128", setting
        )
    if proxy.url.scheme.startswith("socks"):
        _need_socksio(setting)
    return Proxy(setting, proxy)


class Trust(NamedTuple):
    """The certificates to accept, and the variable that names them, if one is set."""

    context: ssl.SSLContext
    said: str


def trust(url: str) -> Trust:
    """Read the certificates for https, but not for http, because reading takes long.

    Raises:
        ConfigurationError: The certificates cannot be read.
    """
    if not url.startswith("https:"):
        return Trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "")
    name = next((name for name in _CERTIFICATES if os.environ.get(name)), "")
    path = os.environ.get(name, "")
    said = f"{name}={path!r}" if name else ""
    if name and (not os.path.exists(path) or os.path.isdir(path) != (name == "SSL_CERT_DIR")):
        raise ConfigurationError(f"{said} is not a {_CERTIFICATES[name]}", name)
    try:
        return Trust(httpx.create_ssl_context(), said)
    except (OSError, ValueError) as error:
        reason = str(error)
    if keys := os.environ.get("SSLKEYLOGFILE"):
        said = f"{said} and SSLKEYLOGFILE={keys!r}" if said else f"SSLKEYLOGFILE={keys!r}"
    raise ConfigurationError(
        f"https cannot be set up with {said or 'the package certifi'}: {reason}",
        said.partition("=")[0],
    )


def _named(server: SplitResult) -> tuple[str, Secret]:
    # httpx reads each entry of NO_PROXY as a url, and fails at an entry that is none.
    known = getproxies()
    kind = server.scheme if known.get(server.scheme) else "all"
    url = known.get(kind)
    unproxied = re.split(r"[,\s]+", known.get("no", ""))
    if not url or _is_loopback(server) or any(_covers(entry, server) for entry in unproxied):
        return "", Secret(None)
    names = (name for name, value in os.environ.items() if value == url)
    setting = next((name for name in names if name.lower() == f"{kind}_proxy"), "the proxy")
    return setting, Secret(url)


def _is_loopback(server: SplitResult) -> bool:
    host = server.hostname or ""
    address = _address(host)
    if address is None:
        return f".{host.rstrip('.')}".endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback or address.is_unspecified


def _covers(entry: str, server: SplitResult) -> bool:
    """Tell whether an entry of NO_PROXY names a server; an unreadable entry names none."""
    found = _ENTRY.fullmatch(entry)
    scheme, name, port = found.group("scheme", "name", "port") if found else (None, entry, None)
    if scheme not in (None, "all", server.scheme):
        return False
    if port is not None and int(port) != (server.port or _PORTS[server.scheme]):
        return False
    host, name = server.hostname or "", re.sub(r"[][]", "", name).lower()
    address = _address(host)
    if not name or name == "*":
        return bool(name)
    if address is None:
        domain = name.removeprefix("*")
        return host.endswith(domain) if domain[0] == "." else f".{host}".endswith(f".{domain}")
    try:
        return address in ip_network(name, strict=False)
    except ValueError:
        return False


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _read(text: Secret) -> httpx.Proxy | None:
    # Nothing is raised here, because a traceback with variables would show a password.
    url = text.reveal() or ""
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        proxy = httpx.Proxy(url)
        usable = parts.hostname and parts.port != 0 and proxy.url.host and " " not in url
    except (httpx.InvalidURL, ValueError):
        return None
    return proxy if usable else None


def _need_socksio(setting: str) -> None:
    try:
        import_module("socksio")
    except ImportError:
        raise ConfigurationError(
            f"{setting} names a SOCKS proxy, which needs one more package:"
            " pip install 'httpx[socks]'",
            setting,
        ) from None
