"""The stream of events that the page of a task follows.

An event says that the task has changed: the page then asks for its parts anew. Of progress, which
a handler may report twice a second, the event has the part itself, so that a page that follows it
takes one request of its viewer's rate.
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
from taskq_server.dashboard.rendering import fragment
from taskq_server.dashboard.task_view import TaskView
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
    return Stream(_changes(request, allowed), headers=HEADERS, media_type=MEDIA_TYPE)


def _whole(content: bytes) -> Response:
    return Response(content, 200, HEADERS, MEDIA_TYPE)


async def _changes(
    request: Request, states: AsyncIterator[TaskDetails | None]
) -> AsyncIterator[bytes]:
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
            if before is not None and _is_progress(before, state):
                yield _progress(request, state)
            else:
                yield _change(state)
            before = state
            if state.task.status.final:
                yield _END
    except TaskNotFound:
        yield _GONE
    except (Unauthenticated, PermissionDenied, Unavailable) as error:
        kind = problems.kind_of(error)
        level = logging.ERROR if kind.status >= 500 else logging.DEBUG
        _log.log(level, "a page's stream ends early, as with %d %s", kind.status, kind.code)


def _change(details: TaskDetails) -> bytes:
    task = details.task
    return b"id: %d\nevent: task-change\ndata: %b\n\n" % (task.version, task.status.encode())


def _progress(request: Request, details: TaskDetails) -> bytes:
    view = TaskView.of(details, caller_of(request.scope))
    part = bytes(fragment(request, "task_progress.html", view=view).body)
    data = b"".join(b"data: %b\n" % line for line in part.splitlines())
    return b"id: %d\n%b\n" % (details.task.version, data)


def _is_progress(before: TaskDetails, after: TaskDetails) -> bool:
    """Return whether nothing but the progress of a task is new."""
    new = after.task
    as_before = before.task._replace(
        progress=new.progress, version=new.version, updated_at=new.updated_at
    )
    return as_before == new and before.tags == after.tags
