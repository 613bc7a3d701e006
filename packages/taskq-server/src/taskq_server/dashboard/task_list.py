"""The list of tasks: filters in the address, and page after page."""

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
from taskq_server.domain.errors import Rejected
from taskq_server.domain.task import Priority, Status
from taskq_server.runtime import Runtime
from taskq_server.services.read import Page
from taskq_server.services.stats import Stats

_COUNTED = {"status", "queue"}
"""Filters whose tasks the counts of the queues tell."""

router = APIRouter(route_class=PageRoute)


@router.get(f"{ROOT}/tasks", operation_id="list")
async def tasks(
    asked: Annotated[Asked, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Show the tasks that the filters in the address find."""
    if asked.has_empty:
        return see_other(request, asked.path())
    caller = caller_of(request.scope)
    stats = await runtime.stats.read(caller)
    found, problem = Page((), None), None
    try:
        query = asked.query()
        found = await runtime.read.list(
            caller, query.as_filter(), limit=query.limit, cursor=query.cursor
        )
    except Rejected as error:
        problem = error_page.problem(request, error)
    viewer = viewer_of(request)
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
        **await _known(request, runtime, asked, stats),
    )


async def _known(request: Request, runtime: Runtime, asked: Asked, stats: Stats) -> dict[str, Any]:
    """Return what the form offers, and what the page was made from."""
    queues = {each.name: each.tasks for each in stats.queues}
    chosen = asked.all("queue") or list(queues)
    is_counted = _COUNTED.issuperset(asked.filters)
    by_status = sum((queues[name] for name in chosen if name in queues), Counter[Status]())
    return {
        "statuses": [status.value for status in Status],
        "priorities": [priority.label for priority in reversed(Priority)],
        "handlers": await runtime.catalog.names(caller_of(request.scope)),
        "queues": sorted(queues),
        "is_empty": not any(tasks.total() for tasks in queues.values()),
        "by_status": by_status if is_counted else None,
        "seen": [
            {"name": name, "tasks": {status.value: n for status, n in tasks.items()}}
            for name, tasks in queues.items()
        ],
    }
