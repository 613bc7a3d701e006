"""Answers to routes, written straight from the rows."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from taskq_server.api import prefix
from taskq_server.api.body.reading import JSON
from taskq_server.api.headers import entity_tag
from taskq_server.domain.task import TaskDetails
from taskq_server.schemas import wire
from taskq_server.services.submit import Submitted

T = TypeVar("T")


def document(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` as JSON."""
    return Response(wire.dump(value), status, headers, JSON)


def task(
    details: TaskDetails, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a whole task with its `ETag`."""
    tagged = {"ETag": entity_tag(details.task.version), **(headers or {})}
    return document(wire.whole(details), status, tagged)


def submitted(done: Submitted, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """Return a submitted task with its address."""
    located = {
        "Location": prefix.address(scope, f"/tasks/{done.details.task.id}"),
        **(headers or {}),
    }
    if done.replayed:
        located["Idempotency-Replayed"] = "true"
    return task(done.details, 200 if done.replayed else 201, located)


async def while_connected(request: Request, waiting: Coroutine[Any, Any, T]) -> T:
    """Return what `waiting` returns, unless the caller hangs up first.

    Raises:
        ClientDisconnect: the caller is gone; `waiting` is cancelled.
    """
    answer = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return await answer
    finally:
        answer.cancel()
        gone.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
