"""Routes of queues."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from taskq_server.api import answers
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.openapi.responses import BODY, STORE, failures, reply
from taskq_server.api.strict_route import OptionalBodyRoute, StrictRoute
from taskq_server.domain.errors import QuotaExceeded
from taskq_server.schemas.fields import QueueName
from taskq_server.schemas.queue import QueueItem, QueueList, QueuePause
from taskq_server.services.queues import QueueState

_WITHOUT_NOTE = QueuePause()

InPath = Annotated[QueueName, Path(description="the queue's name, which may have slashes")]

router = APIRouter(route_class=StrictRoute, tags=["queues"])
pauses = APIRouter(route_class=OptionalBodyRoute, tags=["queues"])


@router.get(
    "/queues",
    operation_id="queues",
    summary="List queues",
    response_model=QueueList,
    responses={**reply(200, "all queues, by name"), **failures(*STORE)},
)
async def queues(request: Request, runtime: RuntimeDep) -> Response:
    """List the queues that have tasks, that a live worker listens to, or that were paused."""
    found = await runtime.queues.list(caller_of(request.scope))
    shown = QueueList(items=[_shown(each) for each in found])
    return answers.document(shown.model_dump())


@pauses.post(
    "/queues/{name:path}/pause",
    operation_id="pause_queue",
    summary="Pause a queue",
    response_model=QueueItem,
    responses={
        **reply(200, "the queue is paused: from now on none of its tasks starts"),
        **failures(*BODY, *STORE, QuotaExceeded),
    },
)
async def pause(
    name: InPath, request: Request, runtime: RuntimeDep, wanted: QueuePause = _WITHOUT_NOTE
) -> Response:
    """Pause a queue, used or not: once this has answered, none of its tasks starts anywhere.

    What runs goes on; retries, and tasks that lost their worker, wait.
    """
    caller = caller_of(request.scope)
    await runtime.queues.pause(caller, name, wanted.note)
    return answers.document(_shown(await runtime.queues.get(caller, name)).model_dump())


@router.post(
    "/queues/{name:path}/resume",
    operation_id="resume_queue",
    summary="Resume a queue",
    response_model=QueueItem,
    responses={**reply(200, "the queue goes on"), **failures(*STORE)},
)
async def resume(name: InPath, request: Request, runtime: RuntimeDep) -> Response:
    """Let a queue go on; its workers take up what is due at once, or with their next heartbeat."""
    caller = caller_of(request.scope)
    await runtime.queues.resume(caller, name)
    return answers.document(_shown(await runtime.queues.get(caller, name)).model_dump())


def _shown(queue: QueueState) -> QueueItem:
    stats = queue.stats
    return QueueItem(
        name=stats.name,
        paused=queue.paused_at is not None,
        paused_at=queue.paused_at,
        note=queue.note,
        depth=stats.depth,
        running=stats.running,
        oldest_age_seconds=stats.oldest_age_seconds,
        throughput_per_minute=stats.throughput_per_minute,
        workers=queue.workers,
    )
