"""Apps behind a real socket, and a count of the requests that FastAPI sees.

httpx.ASGITransport sends every body as if more of it were to come, and the fast path of submits
hands such requests on: what is about it has to go over a socket.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from taskq_server.cli._http.server import listen, serve
from taskq_server.core.config import Settings


@dataclass
class HandedOn:
    """The requests that FastAPI has seen."""

    count: int = 0
    first: asyncio.Event = field(default_factory=asyncio.Event)


class Counting:
    """Stands where the fast path hands requests on to."""

    def __init__(self, app: ASGIApp, handed_on: HandedOn) -> None:
        self._app = app
        self._handed_on = handed_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._handed_on.count += 1
            self._handed_on.first.set()
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Served:
    """An app behind a socket."""

    http: httpx.AsyncClient
    handed_on: HandedOn

    async def post(self, path: str = "/tasks", **request: Any) -> tuple[httpx.Response, int]:
        """The answer, and how many requests FastAPI has seen for it."""
        before = self.handed_on.count
        answer = await self.http.post(path, **request)
        return answer, self.handed_on.count - before


@asynccontextmanager
async def served(
    app: FastAPI, settings: Settings, *, counted: FastAPI | None = None
) -> AsyncIterator[Served]:
    """Serve an app on a free port, as the commands do.

    Args:
        app: is served.
        settings: those of the server.
        counted: whose requests are counted, if it is another one, which `app` mounts.
    """
    handed_on = HandedOn()
    # The last one is the innermost: what the fast path answers does not come there.
    (counted or app).user_middleware.append(Middleware(Counting, handed_on=handed_on))
    stop = asyncio.Event()
    with listen(settings.model_copy(update={"port": 0})) as listener:
        serving = asyncio.create_task(serve(app, listener, stop))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=180) as http:
                yield Served(http, handed_on)
        finally:
            stop.set()
            await serving
