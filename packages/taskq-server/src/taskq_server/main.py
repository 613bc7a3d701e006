"""The ASGI application."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.params import Depends
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from taskq_server.api import (
    batch,
    bulk,
    catalog,
    dashboard_path,
    events,
    health,
    history,
    keys,
    metrics,
    previews,
    problems,
    queues,
    schedules,
    stats_events,
    tasks,
    workers,
)
from taskq_server.api.access_log import AccessLog
from taskq_server.api.allowed_hosts import AllowedHosts
from taskq_server.api.browsers import Browsers, OwnPages
from taskq_server.api.dependencies import runtime_of
from taskq_server.api.guard import Guard
from taskq_server.api.openapi import document as openapi
from taskq_server.api.prefix import PathPrefix
from taskq_server.api.request_id import RequestIdMiddleware
from taskq_server.api.start_up import StartUp
from taskq_server.api.strict_route import StrictRoute
from taskq_server.api.submit import route as submit
from taskq_server.api.submit.fast_path import SubmitFastPath
from taskq_server.core.config import Settings
from taskq_server.dashboard import refusal
from taskq_server.dashboard import routes as dashboard
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services import admin_key

_ROUTERS = (
    *(submit.router, tasks.router, events.router, batch.router, batch.waits, bulk.router),
    *(catalog.router, history.router, stats_events.router, workers.router),
    *(queues.router, queues.pauses),
    *(previews.router, schedules.router, schedules.pauses, keys.router, keys.rotations),
    *(health.router, metrics.router, openapi.router, *dashboard.ROUTERS),
)


class Api(FastAPI):
    """FastAPI that describes itself with the document of `api.openapi`.

    Its dependencies run for every route, those included that are added to `router.dependencies`
    before it starts.

    Attributes:
        runtime: what it works with, while it runs; looked up for each request.
    """

    runtime: Runtime | None = None

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, without the names of handlers."""
        if self.openapi_schema is None:
            if self.middleware_stack is None:
                self._set_routes()
            self.openapi_schema = openapi.describe(self)
        return self.openapi_schema

    def build_middleware_stack(self) -> ASGIApp:
        """Return the routes with all that is around them; called once, when it starts."""
        self._set_routes()
        return super().build_middleware_stack()

    def _set_routes(self) -> None:
        # Included routers would be matched twice for each request; plain routes are once.
        self.router.routes[:] = [
            each.within(self, self.router.dependencies) if isinstance(each, StrictRoute) else each
            for each in self.routes
        ]


def create_app(
    settings: Settings | None = None,
    *,
    runtime: Runtime | None = None,
    allowed_hosts: Collection[str] | None = None,
    dependencies: Sequence[Depends] = (),
) -> FastAPI:
    """Return the API as an ASGI application.

    The limits of heads, connections and slow senders are the server's: `taskq-server api` has them.
    An application that mounts this one enters `app.router.lifespan_context(app)` in a lifespan of
    its own. A setting that cannot be used is a `ConfigurationError` there.

    Args:
        settings: the environment's when None; not looked at when `runtime` is given.
        runtime: an open runtime to work with; without it the application's lifespan opens one,
            and closes it.
        allowed_hosts: says that only this machine reaches the port, and which names besides
            loopback requests may be meant for, and may come from the pages of, as long as no key
            is asked for. The commands give the setting of that name where they listen on loopback.
            None, unlike an empty list, stands for an address that others may reach, or that is not
            known: a key is asked for then, unless `TASKQ_AUTH` is `off`.
        dependencies: run for each request that a route takes, as those of `FastAPI` do. Submits
            take several times the CPU then: middleware, given to `app.add_middleware`, sees every
            request too, and leaves the fast path of `POST /tasks` open.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if app.middleware_stack is None:  # mounted: nobody else would until the first request
            app.middleware_stack = app.build_middleware_stack()
        if runtime is not None:
            yield
            return
        found = settings or Settings.load()
        dashboard_path.check(found, app.routes)
        async with open_runtime(found, admin=admin_key.of(found)) as opened:
            app.runtime = opened
            try:
                yield
            finally:
                app.runtime = None

    app = Api(
        lifespan=lifespan,
        routes=[route for router in _ROUTERS for route in router.routes],
        dependencies=dependencies,
        openapi_url=None,
        redirect_slashes=False,
        # Looked up anew for each request, it costs more than the host check and the id together.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.runtime = runtime
    known = settings if runtime is None else runtime.settings
    if known is not None:
        dashboard_path.check(known, app.routes)
    app.mount(openapi.ASSETS_PATH, openapi.assets)
    app.user_middleware = _around(app, allowed_hosts)
    problems.install(app)
    return app


def _around(app: Api, allowed_hosts: Collection[str] | None) -> list[Middleware]:
    """Return what is around the routes, from the outside in.

    Guards and observers come before the fast path, so that no submit can be without them.
    """
    hosts = None if allowed_hosts is None else AllowedHosts(allowed_hosts)
    return [
        Middleware(StartUp),
        Middleware(Browsers, origins=lambda: _cors_origins(app)),
        Middleware(
            RequestIdMiddleware,
            access_log=AccessLog(lambda: _settings(app)),
            metrics=lambda: None if app.runtime is None else app.runtime.metrics,
        ),
        Middleware(PathPrefix, settings=lambda: runtime_of(app).settings, routes=app.routes),
        Middleware(dashboard_path.DashboardPath, settings=lambda: runtime_of(app).settings),
        Middleware(
            Guard, runtime=lambda: runtime_of(app), hosts=hosts, refuse_page=refusal.of_page
        ),
        Middleware(OwnPages, hosts=hosts),
        Middleware(SubmitFastPath, routes=app.routes),
    ]


def _settings(app: Api) -> Settings | None:
    return None if app.runtime is None else app.runtime.settings


def _cors_origins(app: Api) -> Collection[str]:
    settings = _settings(app)
    return () if settings is None else settings.cors_origins
