"""Routes that tell what there is: handlers, tags, numbers of tasks."""

from fastapi import APIRouter

from taskq_server.api.dependencies import CallerDep, CatalogDep, StatsDep
from taskq_server.api.openapi.responses import STORE, failures, reply
from taskq_server.api.strict_route import StrictRoute
from taskq_server.schemas.service import HandlerList, StatsRead, TagList

router = APIRouter(route_class=StrictRoute, tags=["catalog"])


@router.get(
    "/tags",
    operation_id="tags",
    responses={**reply(200, "all tags in use, by name"), **failures(*STORE)},
)
async def tags(catalog: CatalogDep, caller: CallerDep) -> TagList:
    """List the tags in use, and how many tasks carry each."""
    return TagList(items=await catalog.tags(caller))


@router.get(
    "/handlers",
    operation_id="handlers",
    responses={**reply(200, "all published handlers, by name"), **failures(*STORE)},
)
async def handlers(catalog: CatalogDep, caller: CallerDep) -> HandlerList:
    """List the handlers that workers have published, with the JSON Schema of their payloads."""
    return HandlerList(items=await catalog.handlers(caller))


@router.get(
    "/stats",
    operation_id="stats",
    responses={**reply(200, "counts, depths and ages at this moment"), **failures(*STORE)},
)
async def stats(service: StatsDep, caller: CallerDep) -> StatsRead:
    """Count the tasks by status and queue, and tell how long the oldest has waited."""
    return await service.read(caller)
