"""What an httpx client is made with, and which of its lines reach the log."""

import logging
import platform
from typing import Any, NamedTuple

import httpx

from taskq_client._environment import proxy_for, trust
from taskq_client._settings import Settings
from taskq_client._version import __version__

HEADERS = {
    "Accept": "application/json",
    "User-Agent": f"taskq-client/{__version__} python/{platform.python_version()}",
}
# A waiting request holds its connection for long; in a bounded pool waits would starve submits.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)


class HttpOptions(NamedTuple):
    """How an httpx client reaches a server.

    Attributes:
        name: The server, and the proxy if there is one, for messages.
        trust: The variable that names the accepted certificates, if one is set.
        arguments: The arguments of an httpx client.
    """

    name: str
    trust: str
    arguments: dict[str, Any]


def http_options(settings: Settings, *, network: bool) -> HttpOptions:
    """Read the environment, once, because a client keeps its options.

    Args:
        settings: The server.
        network: Whether the client uses the network, not a transport of the caller's.

    Raises:
        ConfigurationError: A variable cannot be used.
    """
    headers = httpx.Headers(HEADERS)
    if authorization := settings.authorization.reveal():
        headers["Authorization"] = authorization
    if settings.namespace:
        headers["Taskq-Namespace"] = settings.namespace
    arguments: dict[str, Any] = {
        "base_url": settings.url,
        "headers": headers,
        "limits": LIMITS,
        "trust_env": False,
    }
    if not network:
        return HttpOptions(settings.url, "", arguments)
    arguments["verify"], said = trust(settings.url)
    found = proxy_for(settings.url)
    if found is None:
        return HttpOptions(settings.url, said, arguments)
    arguments["proxy"] = found.proxy
    return HttpOptions(
        f"{settings.url} through {found.proxy.url} ({found.setting})", said, arguments
    )


class ClientUrl(httpx.URL):
    """The url of a request of this client, by which its line in the log of httpx is recognised."""


def _is_wanted(record: logging.LogRecord) -> bool:
    # httpx logs each request at INFO. The lines of this client appear only if httpx has a level.
    arguments = record.args if isinstance(record.args, tuple) else ()
    ours = any(isinstance(argument, ClientUrl) for argument in arguments)
    return not ours or _httpx_log.level != logging.NOTSET


_httpx_log = logging.getLogger("httpx")
_httpx_log.addFilter(_is_wanted)
