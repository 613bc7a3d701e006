"""Routes that tell what there is: handlers, tags, numbers of tasks."""

from collections import Counter

from fastapi import APIRouter, Request

from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import CatalogDep, StatsDep
from taskq_server.api.openapi.responses import STORE, failures, reply
from taskq_server.api.strict_route import StrictRoute
from taskq_server.domain.task import Status
from taskq_server.schemas.service import (
    HandlerList,
    HandlerRead,
    QueueRead,
    StatsRead,
    StatusCounts,
    TagList,
    TagRead,
)

router = APIRouter(route_class=StrictRoute, tags=["catalog"])


@router.get(
    "/tags",
    operation_id="tags",
    summary="List tags",
    responses={**reply(200, "all tags in use, by name"), **failures(*STORE)},
)
async def tags(catalog: CatalogDep, request: Request) -> TagList:
    """List the tags in use, and how many tasks carry each."""
    counts = await catalog.tags(caller_of(request.scope))
    return TagList(items=[TagRead(name=each.name, count=each.tasks) for each in counts])


@router.get(
    "/handlers",
    operation_id="handlers",
    summary="List handlers",
    responses={**reply(200, "all published handlers, by name"), **failures(*STORE)},
)
async def handlers(catalog: CatalogDep, request: Request) -> HandlerList:
    """List the handlers that workers have published, with the JSON Schema of their payloads."""
    listed = await catalog.handlers(caller_of(request.scope))
    return HandlerList(
        items=[HandlerRead.model_validate(each, from_attributes=True) for each in listed]
    )


@router.get(
    "/stats",
    operation_id="stats",
    summary="Count tasks",
    responses={**reply(200, "counts, depths and ages at this moment"), **failures(*STORE)},
)
async def stats(service: StatsDep, request: Request) -> StatsRead:
    """Count the tasks by status and queue, and tell how long the oldest has waited."""
    stats = await service.read(caller_of(request.scope))
    queues = [
        QueueRead(
            name=queue.name,
            tasks=_counts(queue.tasks),
            depth=queue.depth,
            oldest_age_seconds=queue.oldest_age_seconds,
            throughput_per_minute=queue.throughput_per_minute,
            run_seconds_mean=queue.run_seconds_mean,
        )
        for queue in stats.queues
    ]
    return StatsRead(tasks=_counts(stats.tasks), queues=queues, workers=stats.workers)


def _counts(tasks: Counter[Status]) -> StatusCounts:
    return StatusCounts.model_validate({status.value: tasks[status] for status in Status})
