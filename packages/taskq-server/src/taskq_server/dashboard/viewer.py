"""The viewer of a page: who looks, in which language, and what the page may offer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request

from taskq_server.api import access, prefix
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import runtime_of
from taskq_server.api.sessions import session_of
from taskq_server.core.config import Settings
from taskq_server.dashboard import language
from taskq_server.domain.caller import Caller
from taskq_server.domain.sessions import Session


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page.

    Attributes:
        caller: as the API knows it; None on pages that need no sign-in.
        language: of the page.
        settings: of the server.
        request: asked for the page.
    """

    caller: Caller | None
    language: str
    settings: Settings
    request: Request

    def sees(self, operation: str) -> bool:
        """Return whether the viewer may read what an operation of the API returns."""
        return self.caller is not None and access.of(operation).allows(self.caller)

    def may(self, operation: str, handler: str | None = None) -> bool:
        """Return whether a page offers something that changes things.

        Args:
            operation: of the API, which asks for the same scopes.
            handler: of the task, where the operation also asks for its `tasks:run:`.
        """
        if self.settings.dashboard == "read-only" or not self.sees(operation):
            return False
        return handler is None or (self.caller is not None and self.caller.may_run(handler))

    def path(self, path: str = "", query: Iterable[tuple[str, Any]] = ()) -> str:
        """Return the address of a page.

        Args:
            path: below the dashboard, as in `/tasks`.
            query: names and values of parameters; those that are None are left out.
        """
        given = [(name, value) for name, value in query if value is not None]
        behind = f"{path}?{urlencode(given)}" if given else path
        return prefix.address(self.request.scope, f"{self.settings.dashboard_path}{behind}")

    def api(self, path: str) -> str:
        """Return the address of a path of the API."""
        return prefix.address(self.request.scope, path)

    def is_at(self, path: str) -> bool:
        """Return whether the page that is shown lies at a path below the dashboard, or below it."""
        here = self.here.partition("?")[0]
        there = self.path(path)
        return here == there or (path != "" and here.startswith(f"{there}/"))

    @property
    def session(self) -> Session | None:
        """The viewer's session; None where no sign-in was necessary."""
        return session_of(self.request.scope)

    @property
    def here(self) -> str:
        """The address of the page that is shown, with its query."""
        scope = self.request.scope
        query = scope["query_string"].decode("latin-1")
        inside = prefix.path_within(scope).removeprefix("/dashboard")
        return self.path(f"{inside}?{query}" if query else inside)


def viewer_of(request: Request, caller: Caller | None = None) -> Viewer:
    """Return who looks at a page that needs a caller, unless one is given."""
    known = caller or caller_of(request.scope)
    return Viewer(known, language.of(request), runtime_of(request.app).settings, request)


def stranger(request: Request) -> Viewer:
    """Return who looks at a page that needs no caller."""
    return Viewer(None, language.of(request), runtime_of(request.app).settings, request)
