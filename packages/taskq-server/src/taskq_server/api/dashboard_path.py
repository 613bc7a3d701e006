"""The path of the dashboard: routes know one, and the settings say another, or none."""

from collections.abc import Awaitable, Callable, Iterable

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from taskq_server.api.errors import NoSuchPath
from taskq_server.api.prefix import path_within
from taskq_server.core.config import Settings
from taskq_server.domain.errors import ConfigurationError

ROOT = "/dashboard"
"""The path under which the application has the routes of the dashboard."""

ASSETS = f"{ROOT}/assets/"
"""The beginning of the paths of its scripts and styles, which everybody may read."""

STRANGERS = frozenset(
    {
        *((method, f"{ROOT}/sign-in") for method in ("GET", "HEAD", "POST")),
        *(("POST", f"{ROOT}/{name}") for name in ("sign-out", "language")),
    }
)
"""The methods and paths of what serves those who have not signed in, too."""


class DashboardPath:
    """Serve the dashboard under the path of the settings, and nothing of it where that says so.

    Args:
        app: serves the requests.
        settings: returns the application's settings; raises an error before it has started.
    """

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        self._app = app
        self._settings = settings

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request.

        Raises:
            NoSuchPath: nothing of the dashboard is served there.
        """
        if scope["type"] == "http":
            settings, path = self._settings(), scope["path"]
            if ROOT in path or settings.dashboard_path in path:  # few paths of the API have it
                scope = _placed(scope, settings)
        return self._app(scope, receive, send)


def check(settings: Settings, routes: Iterable[BaseRoute]) -> None:
    """Check that the settings' path of the dashboard is none of the API's.

    Raises:
        ConfigurationError: it is.
    """
    place = settings.dashboard_path
    first = f"/{place.split('/')[1]}"
    served = {f"/{each.path.split('/')[1]}" for each in routes if isinstance(each, Route)}
    if first in served - {ROOT}:
        raise ConfigurationError(
            f"TASKQ_DASHBOARD_PATH: {first} is a path of the API: choose another one than {place}"
        )


def is_of_dashboard(scope: Scope) -> bool:
    """Return whether a request is meant for the dashboard, as it was placed."""
    return _is_below(path_within(scope), ROOT)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _placed(scope: Scope, settings: Settings) -> Scope:
    path, place = path_within(scope), settings.dashboard_path
    if settings.dashboard != "off" and _is_below(path, place):
        if place == ROOT:
            return scope
        before = scope["path"].removesuffix(path)
        return {**scope, "path": f"{before}{ROOT}{path.removeprefix(place)}"}
    if _is_below(path, ROOT):
        raise NoSuchPath("nothing is served under this path")
    return scope
