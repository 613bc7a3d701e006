"""Queues: how they stand, pause and resume."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api.caller import caller_of
from taskq_server.api.dashboard_path import ROOT
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.queues import InPath
from taskq_server.dashboard import forms
from taskq_server.dashboard.page_route import ActionRoute, PageRoute
from taskq_server.dashboard.rendering import fragment, page, see_other, translated
from taskq_server.domain import limits
from taskq_server.runtime import Runtime
from taskq_server.schemas.queue import QueuePause

_SHOWN = 500

router = APIRouter(route_class=PageRoute)
actions = APIRouter(route_class=ActionRoute)

Prefix = Annotated[
    str, Query(max_length=limits.QUEUE_LENGTH, description="how the names begin; empty: all")
]


@router.get(f"{ROOT}/queues", operation_id="queues")
async def queues(request: Request, runtime: RuntimeDep, prefix: Prefix = "") -> Response:
    """Show the queues that begin with a prefix, the first 500 by name."""
    return page(request, "queues.html", **await _shown(request, runtime, prefix))


@router.get(f"{ROOT}/queues/table", operation_id="queues")
async def table(request: Request, runtime: RuntimeDep, prefix: Prefix = "") -> Response:
    """Show their table alone, for a page that follows them."""
    return fragment(request, "queues_table.html", **await _shown(request, runtime, prefix))


@actions.post(f"{ROOT}/queues/{{name:path}}/pause", operation_id="pause_queue")
async def pause(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Pause a queue, with a note or without one."""
    wanted = forms.parsed(QueuePause, (await forms.read(request)).given("note"))
    await runtime.queues.pause(caller_of(request.scope), name, wanted.note)
    return see_other(
        request, "/queues", translated(request, "Queue %(name)s is paused.", name=name)
    )


@actions.post(f"{ROOT}/queues/{{name:path}}/resume", operation_id="resume_queue")
async def resume(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Let a queue go on."""
    await runtime.queues.resume(caller_of(request.scope), name)
    return see_other(request, "/queues", translated(request, "Queue %(name)s goes on.", name=name))


async def _shown(request: Request, runtime: Runtime, prefix: str) -> dict[str, Any]:
    every = await runtime.queues.list(caller_of(request.scope))
    found = [one for one in every if one.stats.name.startswith(prefix)]
    return {
        "queues": found[:_SHOWN],
        "more": max(0, len(found) - _SHOWN),
        "is_long": len(every) > _SHOWN,
        "prefix": prefix,
    }
