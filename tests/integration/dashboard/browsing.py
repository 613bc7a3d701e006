"""A browser's requests to the dashboard, and what a person reads in its pages."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from taskq_server.domain.caller import Caller
from taskq_server.main import create_app
from taskq_server.runtime import Runtime

FROM_PAGE = {"Sec-Fetch-Site": "same-origin"}


@asynccontextmanager
async def browsing(
    runtime: Runtime, *, scopes: tuple[str, ...] | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """The application with other settings, for somebody who may do only some things."""
    changed = replace(runtime, settings=runtime.settings.model_copy(update=settings))
    if scopes is not None:
        changed = replace(changed, caller=Caller("default", frozenset(scopes)))
    transport = httpx.ASGITransport(create_app(runtime=changed))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://taskq", headers=FROM_PAGE
    ) as client:
        yield client


def text_of(page: httpx.Response) -> str:
    """Return what a person reads, with single spaces."""
    bare = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", " ", page.text)
    return " ".join(html.unescape(bare).split())


def actions_of(page: httpx.Response) -> list[str]:
    """Return where the forms of a page lead that change something, but for the language."""
    found = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', page.text)
    return [each for each in found if not each.endswith(("/language", "/sign-out", "/namespace"))]
