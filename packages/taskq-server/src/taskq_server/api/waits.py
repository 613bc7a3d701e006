"""Wait on behalf of a caller: as long as it is connected, and as long as its key opens."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from taskq_server.api.caller import caller_of, check_again
from taskq_server.api.dependencies import runtime_of
from taskq_server.api.request_metrics import set_waited

LOOK_SECONDS = 0.5
"""Time between two looks at the caller's key."""

T = TypeVar("T")


@contextmanager
def place_to_wait(scope: Scope) -> Iterator[None]:
    """Return a block in which a request may wait for tasks.

    Raises:
        RateLimited: the caller's key has too many waits and streams open.
    """
    runtime = runtime_of(scope["app"])
    with runtime.open_waits.place(caller_of(scope)), runtime.metrics.waiters.track_inprogress():
        yield


@contextmanager
def place_to_follow(scope: Scope) -> Iterator[None]:
    """Return a block in which a request may follow a task, or the counts.

    Raises:
        RateLimited: the caller's key has too many waits and streams open.
    """
    runtime = runtime_of(scope["app"])
    streams = runtime.metrics.sse_streams
    with runtime.open_waits.place(caller_of(scope)), streams.track_inprogress():
        yield


async def while_allowed(request: Request, waiting: Coroutine[Any, Any, T]) -> T:
    """Return what `waiting` returns, unless the caller hangs up or loses its key first.

    Raises:
        ClientDisconnect: the caller is gone; `waiting` is cancelled.
        Unauthenticated: its key opens nothing any more.
        PermissionDenied: its key has lost a scope.
    """
    began = perf_counter()
    answer = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        while True:
            await asyncio.wait(
                (answer, gone), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if answer.done():
                await check_again(request.scope)
                return await answer
            if gone.done():
                raise ClientDisconnect
            await check_again(request.scope)
    finally:
        set_waited(request.scope, perf_counter() - began)
        answer.cancel()
        gone.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def each_while_allowed(scope: Scope, states: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield what `states` yields, as long as the caller's key opens.

    Raises:
        Unauthenticated: its key opens nothing any more.
        PermissionDenied: its key has lost a scope.
    """
    coming = asyncio.ensure_future(_next(states))
    try:
        while True:
            await asyncio.wait((coming,), timeout=LOOK_SECONDS)
            await check_again(scope)
            if not coming.done():
                continue
            state = coming.result()
            if state is None:
                return
            yield state[0]
            coming = asyncio.ensure_future(_next(states))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def _next(states: AsyncIterator[T]) -> tuple[T] | None:
    """Return the next state, alone in a tuple; None at the end."""
    try:
        return (await anext(states),)
    except StopAsyncIteration:
        return None


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
