"""The guard: who sends a request is known before anything of it is read.

It puts the caller into the state of the scope, where the fast path and the routes find it. What the
caller may do is the routes' business (`api.access`). A key counts everywhere; a session does where
`api.sessions` says so, if no key is shown.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from math import inf

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from taskq_server.api import own_pages, problems, sessions
from taskq_server.api.allowed_hosts import AllowedHosts
from taskq_server.api.caller import set_caller, set_caller_of_probe
from taskq_server.api.dashboard_path import ASSETS, ROOT, STRANGERS, is_of_dashboard
from taskq_server.api.errors import MisdirectedRequest
from taskq_server.api.namespace_header import named
from taskq_server.api.prefix import path_within
from taskq_server.api.rate_limits import admitted
from taskq_server.domain.caller import ALL_NAMESPACES, Caller
from taskq_server.domain.errors import DatabaseUnavailable, TaskqError, Unauthenticated
from taskq_server.runtime import Runtime
from taskq_server.services.authentication import FRESH_SECONDS, RECENT_SECONDS

_PROBES = frozenset({"/livez", "/readyz"})
_METRICS = "/metrics"
_BEARER = b"bearer"
_MOST_BYTES = 200
_SAFE = frozenset({"GET", "HEAD"})
_NOT_OWN = (
    "the dashboard takes only what its own pages send: open it, and use its forms and buttons. A "
    "proxy that changes the Host of requests hides from older browsers where that is"
)
_PROBE_SECONDS = 1.5
_NOT_ALLOWED = 1008  # "policy violation" (RFC 6455, section 7.4.1)

RefusePage = Callable[[Scope, TaskqError], Response]
"""Returns the answer to a request for the dashboard that is refused."""

_log = logging.getLogger("taskq.server.keys")


class Guard:
    """Find the caller of each request, or refuse the request.

    Args:
        app: serves the requests.
        runtime: returns what the application works with; raises an error before it has started.
        hosts: whom requests without a key may be meant for, where only this machine reaches the
            port; None where others may reach it.
        refuse_page: answers for people in place of programs.
    """

    def __init__(
        self,
        app: ASGIApp,
        runtime: Callable[[], Runtime],
        hosts: AllowedHosts | None,
        refuse_page: RefusePage,
    ) -> None:
        self._app = app
        self._runtime = runtime
        self._hosts = hosts
        self._refuse_page = refuse_page
        self._has_said = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":  # there are none: a route for them needs a way to refuse
            await send({"type": "websocket.close", "code": _NOT_ALLOWED})
            return
        path = path_within(scope) if scope["type"] == "http" else ""
        if path in _PROBES:  # they have no key and call a server by its address
            set_caller_of_probe(scope, self.caller_of_probe)
        elif path.startswith(ROOT) and is_of_dashboard(scope):
            refusal = await self._refusal_of_page(scope, path)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        elif scope["type"] == "http":
            find = self.caller_of_scrape if path == _METRICS else self.caller
            try:
                caller = await admitted(self._runtime(), scope, find)
                set_caller(scope, caller, self.caller_by_now)
            except TaskqError as error:
                refusal = problems.expected(scope["state"]["request_id"], error)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal_of_page(self, scope: Scope, path: str) -> Response | None:
        """Find the caller of a request for the dashboard; return the answer if it is refused."""
        try:
            if scope["method"] not in _SAFE and not own_pages.is_own(Headers(scope=scope)):
                raise MisdirectedRequest(_NOT_OWN)
            if not path.startswith(ASSETS):
                caller = await admitted(self._runtime(), scope, self.caller)
                set_caller(scope, caller, self.caller_by_now)
        except Unauthenticated as error:
            is_served = (scope["method"], path) in STRANGERS
            return None if is_served else self._refuse_page(scope, error)
        except TaskqError as error:
            return self._refuse_page(scope, error)
        return None

    async def caller(self, scope: Scope, *, within: float = FRESH_SECONDS) -> Caller:
        """Return the caller of a request.

        Args:
            scope: of the request.
            within: the age up to which to believe what was read of its key, in seconds.

        Raises:
            Unauthenticated: it has no key, or none that opens anything.
            InvalidFields: it names a namespace that does not exist.
            PermissionDenied: it names a namespace that is not its key's.
            MisdirectedRequest: it needs none, and is meant for another host.
            DatabaseUnavailable: nobody knows whether it has.
        """
        runtime = self._runtime()
        shown = _shown(scope)
        if await self._is_open(runtime):
            if self._hosts is not None:
                self._check_host(self._hosts, scope)
            if shown:
                self._say_that_keys_mean_nothing(runtime.settings.asks_for_keys)
            return await named(scope, runtime.caller, runtime.namespaces)
        text = _token(shown)
        found = None if shown else await self._by_session(runtime, scope, within)
        found = found or runtime.authentication.known(text, within)
        found = found or await runtime.authentication.caller(text)
        caller = await named(scope, found, runtime.namespaces)
        if caller.is_operator and caller.is_in(ALL_NAMESPACES) and is_of_dashboard(scope):
            return replace(caller, namespace=runtime.settings.namespace)
        return caller

    def _check_host(self, hosts: AllowedHosts, scope: Scope) -> None:
        try:
            hosts.check(scope)
        except MisdirectedRequest:  # or somebody has followed a link
            if not (is_of_dashboard(scope) and _is_visit(scope)):
                raise
            hosts.check_host(scope)

    async def _by_session(self, runtime: Runtime, scope: Scope, within: float) -> Caller | None:
        if runtime.settings.dashboard == "off" or not sessions.is_opened(scope):
            return None
        token = sessions.token_of(scope, runtime.settings)
        if token is None:
            return None
        opened = await runtime.sessions.opened(token, within)
        sessions.set_session(scope, opened.session)
        return opened.caller

    async def caller_by_now(self, scope: Scope) -> Caller:
        """Return the caller of a request that takes long; see `caller`."""
        return await self.caller(scope, within=RECENT_SECONDS)

    async def caller_of_scrape(self, scope: Scope) -> Caller:
        """Return the caller of a request for the metrics; see `caller`.

        While the database is away, what it said last counts, because that is when they matter.
        """
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                return await self.caller(scope)
        except (DatabaseUnavailable, TimeoutError):
            known = self._last_known(self._runtime(), scope)
            if known is None:
                raise DatabaseUnavailable("the database does not say what a key opens") from None
            return known

    async def caller_of_probe(self, scope: Scope) -> Caller | None:
        """Return the caller of a probe, who needs no key; None if the key opens nothing.

        While the database is away, what it said last counts, because that is when probes matter.
        """
        runtime = self._runtime()
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                if not _shown(scope) and not await self._is_open(runtime):
                    return None  # and no line in the log
                return await admitted(runtime, scope, self.caller)
        except (DatabaseUnavailable, TimeoutError):
            return self._last_known(runtime, scope)
        except TaskqError:
            return None

    def _last_known(self, runtime: Runtime, scope: Scope) -> Caller | None:
        try:
            if self._was_open(runtime):
                if self._hosts is not None:
                    self._hosts.check(scope)
                return runtime.caller
            shown = _shown(scope)
            return runtime.authentication.known(_token(shown), within=inf) if shown else None
        except TaskqError:
            return None

    def _say_that_keys_mean_nothing(self, auth: str) -> None:
        if not self._has_said:
            self._has_said = True
            _log.warning(
                "a request has an Authorization header, and no key is asked for, because %s: "
                "TASKQ_AUTH=required asks for one",
                "TASKQ_AUTH is off" if auth == "off" else "none was ever made",
            )

    async def _is_open(self, runtime: Runtime) -> bool:
        if self._asks_once_there_is_a_key(runtime):
            return not await runtime.authentication.has_keys()
        return runtime.settings.asks_for_keys == "off"

    def _was_open(self, runtime: Runtime) -> bool:
        if self._asks_once_there_is_a_key(runtime):
            return not runtime.authentication.is_closed
        return runtime.settings.asks_for_keys == "off"

    def _asks_once_there_is_a_key(self, runtime: Runtime) -> bool:
        return runtime.settings.asks_for_keys == "auto" and self._hosts is not None


def _is_visit(scope: Scope) -> bool:
    """Return whether a browser asks for a page to show it, wherever the link to it was.

    No page of another site sees what it gets, nor has it in a frame.
    """
    fields = Headers(scope=scope)
    asked = (fields.get("sec-fetch-mode"), fields.get("sec-fetch-dest"))
    return scope["method"] in _SAFE and asked == ("navigate", "document")


def _shown(scope: Scope) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == b"authorization"]


def _token(shown: list[bytes]) -> str | None:
    """Return what stands behind `Bearer`, the only scheme (RFC 6750, section 2.1).

    None stands for no header at all, and an empty text for what cannot be a key.
    """
    if not shown:
        return None
    if len(shown) > 1 or len(shown[0]) > _MOST_BYTES:
        return ""
    scheme, _, token = shown[0].partition(b" ")
    return token.strip(b" ").decode("latin-1") if scheme.lower() == _BEARER else ""
