"""The ASGI application."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from taskq_server.api import batch, catalog, events, health, problems, tasks
from taskq_server.api.allowed_hosts import AllowedHosts
from taskq_server.api.dependencies import runtime_of
from taskq_server.api.openapi import document as openapi
from taskq_server.api.prefix import PathPrefix
from taskq_server.api.request_id import RequestIdMiddleware
from taskq_server.api.submit import route as submit
from taskq_server.api.submit.fast_path import SubmitFastPath
from taskq_server.core.config import Settings
from taskq_server.runtime import Runtime, open_runtime

_ROUTERS = (
    *(submit.router, tasks.router, events.router, batch.router, batch.waits),
    *(catalog.router, health.router, openapi.router),
)


class Api(FastAPI):
    """FastAPI that describes itself with the document of `api.openapi`.

    Attributes:
        runtime: what it works with, while it runs; looked up for each request.
    """

    runtime: Runtime | None = None

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, without the names of handlers."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.describe(self)
        return self.openapi_schema


def create_app(
    settings: Settings | None = None,
    *,
    runtime: Runtime | None = None,
    allowed_hosts: Collection[str] | None = None,
) -> FastAPI:
    """Return the API as an ASGI application.

    The limits of heads, connections and slow senders are the server's: `taskq-server api` has them.
    An application that mounts this one enters `app.router.lifespan_context(app)` in a lifespan of
    its own.

    Args:
        settings: the environment's when None; not looked at when `runtime` is given.
        runtime: an open runtime to work with; without it the application's lifespan opens one,
            and closes it.
        allowed_hosts: names besides loopback that requests may be meant for, and may come from
            the pages of; None, unlike an empty list, allows all. The commands give the setting of
            that name where only this machine is to reach the port.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if runtime is not None:
            yield
            return
        async with open_runtime(settings or Settings.load()) as opened:
            app.runtime = opened
            try:
                yield
            finally:
                app.runtime = None

    app = Api(
        lifespan=lifespan,
        # Included routers are matched twice for each request; plain routes once.
        routes=[route for router in _ROUTERS for route in router.routes],
        openapi_url=None,
        redirect_slashes=False,
        # Looked up anew for each request, it costs more than the host check and the id together.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.runtime = runtime
    app.mount(openapi.ASSETS_PATH, openapi.assets)
    app.add_middleware(SubmitFastPath, runtime=lambda: runtime_of(app))
    if allowed_hosts is not None:
        app.add_middleware(AllowedHosts, names=allowed_hosts)
    app.add_middleware(PathPrefix, settings=lambda: runtime_of(app).settings, routes=app.routes)
    app.add_middleware(RequestIdMiddleware)
    problems.install(app)
    return app
