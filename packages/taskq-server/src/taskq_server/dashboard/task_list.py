"""The list of tasks: filters in the address, and page after page."""

import asyncio
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.dashboard import error_page
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.dashboard.rendering import page, see_other
from taskq_server.dashboard.steering import offered_for_all, offered_for_each
from taskq_server.dashboard.task_filters import Asked
from taskq_server.dashboard.viewer import viewer_of
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import Rejected
from taskq_server.domain.task import Priority, Status
from taskq_server.runtime import Runtime
from taskq_server.services.read import Page
from taskq_server.services.stats import Stats

_COUNTED = {"status", "queue"}
"""Filters whose tasks the counts of the queues tell."""

_MOST_SUGGESTED = 500
"""Names that a field of the form suggests."""

_MOST_FOLLOWED = 200
"""Queues whose counts a page has, to say when its tasks have changed."""

_COMMON = {"status", "handler", "queue", "tag", "error_type", "q"}
"""Filters whose fields are always in sight."""

router = APIRouter(route_class=PageRoute)


@router.get(f"{ROOT}/tasks", operation_id="list")
async def tasks(
    asked: Annotated[Asked, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Show the tasks that the filters in the address find."""
    if asked.has_empty:
        return see_other(request, asked.path())
    caller, viewer = caller_of(request.scope), viewer_of(request)
    (found, error), stats, handlers = await asyncio.gather(
        _found(runtime, caller, asked), runtime.stats.read(caller), runtime.catalog.names(caller)
    )
    problem = None if error is None else error_page.problem(request, error)
    refused = {each["pointer"].split("/")[1] for each in problem["errors"]} if problem else set()
    return page(
        request,
        "tasks.html",
        status=problem["status"] if problem else 200,
        asked=asked,
        problem=problem,
        tasks=found.items,
        next_cursor=found.next_cursor,
        for_each=offered_for_each(viewer),
        for_all=offered_for_all(viewer) if asked.filters and not problem else [],
        handlers=handlers[:_MOST_SUGGESTED],
        rare={name: asked.all(name) for name in asked.filters if name not in _COMMON},
        is_rare_refused=bool(refused - _COMMON),
        **_counted(asked, stats),
    )


async def _found(runtime: Runtime, caller: Caller, asked: Asked) -> tuple[Page, Rejected | None]:
    """Return a page of tasks, or none and why the API refuses what is asked."""
    try:
        query = asked.query()
        wanted = query.as_filter()
        page = await runtime.read.list(caller, wanted, limit=query.limit, cursor=query.cursor)
    except Rejected as error:
        return Page((), None), error
    return page, None


def _counted(asked: Asked, stats: Stats) -> dict[str, Any]:
    """Return what the form offers of the counts, and from which ones the page was made."""
    queues = {each.name: each.tasks for each in stats.queues}
    chosen = asked.all("queue") or list(queues)
    is_counted = _COUNTED.issuperset(asked.filters)
    followed = {name: queues[name] for name in chosen if name in queues}
    by_status = sum(followed.values(), Counter[Status]())
    return {
        "statuses": [status.value for status in Status],
        "priorities": [priority.label for priority in reversed(Priority)],
        "queues": sorted(queues)[:_MOST_SUGGESTED],
        "is_empty": not any(tasks.total() for tasks in queues.values()),
        "by_status": by_status if is_counted else None,
        "seen": None
        if len(followed) > _MOST_FOLLOWED
        else [
            {"name": name, "tasks": {status.value: n for status, n in tasks.items()}}
            for name, tasks in followed.items()
        ],
    }
