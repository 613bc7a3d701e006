"""The prefix under which callers reach the application, and the addresses that it returns.

A proxy that serves the application under a prefix may remove the prefix from paths, or pass it on;
both work. In the scope of ASGI, `root_path` is the prefix and `path` begins with it.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import lru_cache
from urllib.parse import quote

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from taskq_server.api.errors import InvalidHeader
from taskq_server.core import proxies
from taskq_server.core.config import Settings

_NAME = "X-Forwarded-Prefix"
_FORWARDED = _NAME.lower().encode()
_REMEMBERED = 64


class PathPrefix:
    """Put requests under the prefix of a trusted proxy's header, or else of the settings.

    Args:
        app: serves the requests.
        settings: returns the application's settings; raises an error before it has started.
        routes: the application's routes, which distinguish a prefix from a path that begins alike.
    """

    def __init__(
        self, app: ASGIApp, settings: Callable[[], Settings], routes: Collection[BaseRoute]
    ) -> None:
        self._app = app
        self._settings = settings
        self._served = {each.path.split("/")[1] for each in routes if isinstance(each, Route)}
        self._trusts = lru_cache(_REMEMBERED)(
            lambda host: proxies.is_in(settings().trusted_proxies, host)
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] == "http":
            settings = self._settings()
            prefix = settings.root_path
            if settings.trusted_proxies:
                prefix = self._forwarded(scope, prefix)
            if prefix:
                scope = self._under(prefix, scope)
        return self._app(scope, receive, send)

    def _forwarded(self, scope: Scope, otherwise: str) -> str:
        given = [value for name, value in scope["headers"] if name == _FORWARDED]
        if not given or not scope.get("client") or not self._trusts(scope["client"][0]):
            return otherwise
        if len(given) > 1:
            raise InvalidHeader(_NAME, "the proxy must send X-Forwarded-Prefix once")
        try:
            return proxies.path_prefix(given[0].decode("latin-1"))
        except ValueError as error:
            raise InvalidHeader(_NAME, f"X-Forwarded-Prefix {error}") from error

    def _under(self, prefix: str, scope: Scope) -> Scope:
        root, path = scope.get("root_path", ""), scope["path"]
        if f"{root}/".startswith(f"{prefix}/"):
            return scope  # the application is mounted under the prefix
        behind = path.removeprefix(f"{prefix}/")
        is_kept = behind != path and self._is_served(behind.partition("/")[0])
        return {**scope, "root_path": prefix + root, "path": path if is_kept else prefix + path}

    def _is_served(self, name: str) -> bool:
        return name in self._served or name == self._settings().dashboard_path.split("/")[1]


def path_within(scope: Scope) -> str:
    """Return the path of a request without the prefix, for matching with routes."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    behind = path.removeprefix(root)
    return path if behind and not behind.startswith("/") else behind


def address(scope: Scope, path: str) -> str:
    """Return the address of a path of the application for callers.

    The address has no host, because callers may choose the prefix of a mounted application, and
    must not choose another host with it.
    """
    root = scope.get("root_path", "").strip("/")
    return f"/{quote(root, '/@:+=')}{path}" if root else path
