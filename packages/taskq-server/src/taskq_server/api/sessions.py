"""The session of a browser: its cookie, and where that stands for a key.

Over https the cookie's name begins with `__Host-`, so that no other host, and nobody without https,
can set it. Over plain http there are sessions within one machine only, under another name: that of
https needs `Secure`, and browsers give a cookie to every port of a host.
"""

from typing import Final

from starlette.responses import Response
from starlette.types import Scope

from taskq_server.api import connections
from taskq_server.api.dashboard_path import is_of_dashboard
from taskq_server.api.prefix import path_within
from taskq_server.core.config import Settings
from taskq_server.domain import sessions
from taskq_server.domain.sessions import Session

ENCRYPTED: Final = "__Host-taskq"
WITHIN_MACHINE: Final = "taskq-session"

_ALSO_OPENED = frozenset({"/docs", "/redoc", "/openapi.json"})
_OPENED_FOLDER = "/docs/assets/"
_STREAM = "/stats/events"
_MOST_BYTES = 16_384
_STATE = "session"


def is_opened(scope: Scope) -> bool:
    """Return whether a session opens what a request asks for.

    It opens pages, and what pages load; a program shows a key.
    """
    if is_of_dashboard(scope):
        return True
    path, method = path_within(scope), scope["method"]
    if path == _STREAM:
        return bool(method == "GET")
    is_page = path in _ALSO_OPENED or path.startswith(_OPENED_FOLDER)
    return is_page and method in ("GET", "HEAD")


def cookie_name(scope: Scope, settings: Settings) -> str | None:
    """Return the name of the cookie for the way that a request came; None if there is none."""
    trusted = settings.trusted_proxies
    if connections.is_encrypted(scope, trusted):
        return ENCRYPTED
    return WITHIN_MACHINE if connections.is_within_machine(scope, trusted) else None


def token_of(scope: Scope, settings: Settings) -> str | None:
    """Return what opens the session of a request; None if it shows nothing that could."""
    shown = [value for name, value in scope["headers"] if name == b"cookie"]
    if not shown or sum(map(len, shown)) > _MOST_BYTES:
        return None
    name = cookie_name(scope, settings)
    if name is None:
        return None
    pairs = [each.strip(b" \t").partition(b"=") for value in shown for each in value.split(b";")]
    found = [value.decode("latin-1") for given, _, value in pairs if given == name.encode()]
    return found[0] if len(found) == 1 and sessions.is_token(found[0]) else None


def give(response: Response, name: str, token: str, seconds: float) -> None:
    """Let a browser keep what opens a session.

    Args:
        response: goes to it.
        name: of the cookie.
        token: opens the session.
        seconds: until the session ends.
    """
    _set(response, name, token, max(0, round(seconds)))


def take_back(response: Response, name: str) -> None:
    """Let a browser forget what has opened a session."""
    _set(response, name, "", 0)


def set_session(scope: Scope, session: Session) -> None:
    """Say in which session a request was sent."""
    scope["state"][_STATE] = session


def session_of(scope: Scope) -> Session | None:
    """Return the session of a request; None if it has shown a key, or needs neither."""
    session: Session | None = scope.get("state", {}).get(_STATE)
    return session


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        secure=name == ENCRYPTED,
        httponly=True,
        samesite="lax",
    )
