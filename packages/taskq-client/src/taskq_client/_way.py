"""The way to the server: what an httpx client needs to be told, and what the log says of it."""

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


class Way(NamedTuple):
    """How to reach a server.

    Attributes:
        name: What to call it in a message.
        trust: The variable that says which certificates to accept, if one does.
        options: The arguments of an httpx client.
    """

    name: str
    trust: str
    options: dict[str, Any]


def way_to(settings: Settings, *, network: bool) -> Way:
    """Read the environment once: a way does not change while a client is used.

    Args:
        settings: Which server.
        network: Whether a network leads there, and no transport of the caller's.

    Raises:
        ConfigurationError: A variable cannot be used.
    """
    headers = httpx.Headers(HEADERS)
    if authorization := settings.authorization.reveal():
        headers["Authorization"] = authorization
    options: dict[str, Any] = {
        "base_url": settings.url,
        "headers": headers,
        "limits": LIMITS,
        "trust_env": False,
    }
    if not network:
        return Way(settings.url, "", options)
    options["verify"], said = trust(settings.url)
    found = proxy_for(settings.url)
    if found is None:
        return Way(settings.url, said, options)
    options["proxy"] = found.proxy
    return Way(f"{settings.url} through {found.proxy.url} ({found.setting})", said, options)


class OurUrl(httpx.URL):
    """The url of a request of ours, by which its line in the log of httpx is known."""


def _asked_for(record: logging.LogRecord) -> bool:
    # httpx has a line at INFO for each request. Those of ours are for who sets a level for httpx.
    arguments = record.args if isinstance(record.args, tuple) else ()
    ours = any(isinstance(argument, OurUrl) for argument in arguments)
    return not ours or _httpx_log.level != logging.NOTSET


_httpx_log = logging.getLogger("httpx")
_httpx_log.addFilter(_asked_for)
