"""A browser that a test plays without a socket: it keeps cookies, and says what sends a form."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from taskq_server.domain.keys import Token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime

OWN = {"Sec-Fetch-Site": "same-origin"}
"""What a browser says of the form of a page of this server."""

LOCAL = "http://localhost:8000"
SECURE = "https://tasks.example.com"


@asynccontextmanager
async def browsing(
    runtime: Runtime,
    at: str = LOCAL,
    *,
    hosts: list[str] | None = None,
    peer: str = "127.0.0.1",
    **settings: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a browser at an API that asks for keys, unless the settings say otherwise.

    Args:
        runtime: of the API.
        at: the origin.
        hosts: as of `create_app`.
        peer: the address that the requests come from.
        settings: those that differ.
    """
    update = {"auth": "required", **settings}
    app = create_app(
        runtime=replace(runtime, settings=runtime.settings.model_copy(update=update)),
        allowed_hosts=hosts,
    )
    transport = httpx.ASGITransport(app, client=(peer, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=at) as client:
        yield client


async def sign_in(browser: httpx.AsyncClient, token: Token, **fields: str) -> httpx.Response:
    """Sign in with a key."""
    form = {"key": token.text, **fields}
    return await browser.post("/dashboard/sign-in", data=form, headers=OWN)
