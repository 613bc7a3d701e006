"""Server-sent events: the states of a task, as it changes."""

import logging
import re
from collections.abc import AsyncIterator
from math import inf
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from taskq_server.api import problems
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import RuntimeDep, TaskId
from taskq_server.api.errors import NoSuchPath
from taskq_server.api.openapi.examples import EVENTS
from taskq_server.api.openapi.responses import STORE, failures, reply
from taskq_server.api.strict_route import TASK_ID, StrictRoute
from taskq_server.api.waits import each_while_allowed, place_to_follow
from taskq_server.domain import limits
from taskq_server.domain.errors import (
    PermissionDenied,
    TaskNotFound,
    Unauthenticated,
    Unavailable,
)
from taskq_server.domain.task import TaskDetails
from taskq_server.schemas import wire
from taskq_server.schemas.fields import NUMBER_IN_QUERY

BEAT_SECONDS = 15.0
_VERSION = re.compile("[0-9]{1,18}")
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

router = APIRouter(route_class=StrictRoute, tags=["tasks"])
_log = logging.getLogger("taskq.server.api")

LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="the version that the caller has seen last"),
]
Seconds = Annotated[
    float | None,
    Query(
        alias="timeout_seconds",
        ge=0,
        le=limits.STREAM_SECONDS,
        description="end after this many seconds, even if the task is not final",
    ),
    NUMBER_IN_QUERY,
]


_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/TaskRead"},
        },
    },
    "required": ["id", "data"],
}
_STATES = reply(200, "the states; each has the version as its id and the task as its data")
# OpenAPI describes one event of a stream from 3.2 on, as `itemSchema`; FastAPI writes 3.1.
_STATES[200]["content"] = {MEDIA_TYPE: {"x-item-schema": _EVENT, "examples": EVENTS}}


@router.get(
    f"/tasks/{TASK_ID}/events",
    operation_id="events",
    summary="Follow a task",
    response_class=StreamingResponse,
    responses={
        **_STATES,
        **reply(204, "the caller has seen the final state: there is nothing to come"),
        **failures(*STORE, TaskNotFound, NoSuchPath),
    },
)
async def events(
    task_id: TaskId,
    request: Request,
    runtime: RuntimeDep,
    seen: LastEventId = None,
    seconds: Seconds = None,
) -> Response:
    """Follow a task with server-sent events, up to its final state.

    The state at the time comes first, unless `Last-Event-ID` says that it is known; then each
    change. Changes in quick succession may come as one, the final state always comes. A comment
    every 15 seconds shows that the connection is alive.
    """
    caller = caller_of(request.scope)
    known = int(seen) if seen is not None and _VERSION.fullmatch(seen) else None
    task = (await runtime.read.get(caller, task_id)).task
    if task.status.final and task.version == known:
        return Response(status_code=204)
    if request.method == "HEAD":
        seconds = 0  # no state is sent, so none is waited for
    states = runtime.wait.follow(
        caller,
        task_id,
        seen=known,
        seconds=inf if seconds is None else seconds,
        beat_seconds=BEAT_SECONDS,
    )
    allowed = each_while_allowed(request.scope, states)
    return Stream(encoded(allowed), headers=HEADERS, media_type=MEDIA_TYPE)


class Stream(StreamingResponse):
    """A stream that takes its place when it is sent, so that it gives it back whatever happens."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; FastAPI answers with the problem if there is no place."""
        with place_to_follow(scope):
            await super().__call__(scope, receive, send)


async def encoded(states: AsyncIterator[TaskDetails | None]) -> AsyncIterator[bytes]:
    """Write states as events, and None as a comment.

    The stream ends when the task is deleted, the caller's key is revoked or the database goes away;
    a caller that reconnects gets the error as its answer.
    """
    yield b": the states of a task\n\n"  # sends the head at once, even if no state is to come yet
    try:
        async for state in states:
            yield b": alive\n\n" if state is None else event(state)
    except (TaskNotFound, Unauthenticated, PermissionDenied, Unavailable) as error:
        kind = problems.kind_of(error)
        level = logging.ERROR if kind.status >= 500 else logging.DEBUG
        _log.log(level, "a stream ends early, as with %d %s", kind.status, kind.code)


def event(details: TaskDetails) -> bytes:
    """Write one state; its JSON is a single line."""
    return b"id: %d\ndata: %b\n\n" % (details.task.version, wire.dump(wire.whole(details)))
