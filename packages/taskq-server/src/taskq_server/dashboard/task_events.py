"""The stream of events that the page of a task follows.

Each event only says that something has changed: the page then asks for its parts, which are made
for its viewer's language and key.
"""

import logging
import re
from collections.abc import AsyncIterator
from math import inf
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api import problems
from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep, TaskId
from taskq_server.api.events import BEAT_SECONDS, HEADERS, MEDIA_TYPE, LastEventId, Stream
from taskq_server.api.strict_route import TASK_ID
from taskq_server.api.waits import each_while_allowed
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.domain.errors import (
    PermissionDenied,
    TaskNotFound,
    Unauthenticated,
    Unavailable,
)
from taskq_server.domain.task import TaskDetails

router = APIRouter(route_class=PageRoute)

_VERSION = re.compile("[0-9]{1,18}")
_END = b"event: end\ndata: -\n\n"
_GONE = b"event: gone\ndata: -\n\n" + _END
_log = logging.getLogger("taskq.server.dashboard")

Shown = Annotated[int | None, Query(ge=0)]


@router.get(f"{ROOT}/tasks/{TASK_ID}/events", operation_id="events")
async def events(
    task_id: TaskId,
    request: Request,
    runtime: RuntimeDep,
    seen: LastEventId = None,
    shown: Shown = None,
) -> Response:
    """Tell a page of each change of a task, up to its final state, and of its deletion.

    The page says in `shown` which version it has; `Last-Event-ID` counts more.
    """
    caller = caller_of(request.scope)
    known = int(seen) if seen is not None and _VERSION.fullmatch(seen) else shown
    try:
        task = (await runtime.read.get(caller, task_id)).task
    except TaskNotFound:
        return _whole(_GONE)
    if task.status.final and task.version == known:
        return _whole(_END)
    states = runtime.wait.follow(
        caller,
        task_id,
        seen=known,
        seconds=0 if request.method == "HEAD" else inf,
        beat_seconds=BEAT_SECONDS,
    )
    allowed = each_while_allowed(request.scope, states)
    return Stream(_changes(allowed), headers=HEADERS, media_type=MEDIA_TYPE)


def _whole(content: bytes) -> Response:
    return Response(content, 200, HEADERS, MEDIA_TYPE)


async def _changes(states: AsyncIterator[TaskDetails | None]) -> AsyncIterator[bytes]:
    """Write each change as an event, and None as a comment; the page comes again if it ends early.

    What ends it early is the answer to the page's next request.
    """
    yield b": the changes of a task\n\n"
    before: TaskDetails | None = None
    try:
        async for state in states:
            if state is None:
                yield b": alive\n\n"
                continue
            yield _event(before, state)
            before = state
            if state.task.status.final:
                yield _END
    except TaskNotFound:
        yield _GONE
    except (Unauthenticated, PermissionDenied, Unavailable) as error:
        kind = problems.kind_of(error)
        level = logging.ERROR if kind.status >= 500 else logging.DEBUG
        _log.log(level, "a page's stream ends early, as with %d %s", kind.status, kind.code)


def _event(before: TaskDetails | None, after: TaskDetails) -> bytes:
    name = b"task-progress" if before and _is_progress(before, after) else b"task-change"
    status = after.task.status.encode()
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (after.task.version, name, status)


def _is_progress(before: TaskDetails, after: TaskDetails) -> bool:
    """Return whether nothing but the progress of a task is new."""
    new = after.task
    as_before = before.task._replace(
        progress=new.progress, version=new.version, updated_at=new.updated_at
    )
    return as_before == new and before.tags == after.tags
