"""Routes that tell what there is: handlers, tags, numbers of tasks."""

from fastapi import APIRouter, Request

from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import CatalogDep, StatsDep
from taskq_server.api.openapi.responses import STORE, failures, reply
from taskq_server.api.strict_route import StrictRoute
from taskq_server.schemas.service import HandlerList, StatsRead, TagList

router = APIRouter(route_class=StrictRoute, tags=["catalog"])


@router.get(
    "/tags",
    operation_id="tags",
    responses={**reply(200, "all tags in use, by name"), **failures(*STORE)},
)
async def tags(catalog: CatalogDep, request: Request) -> TagList:
    """List the tags in use, and how many tasks carry each."""
    return TagList(items=await catalog.tags(caller_of(request.scope)))


@router.get(
    "/handlers",
    operation_id="handlers",
    responses={**reply(200, "all published handlers, by name"), **failures(*STORE)},
)
async def handlers(catalog: CatalogDep, request: Request) -> HandlerList:
    """List the handlers that workers have published, with the JSON Schema of their payloads."""
    return HandlerList(items=await catalog.handlers(caller_of(request.scope)))


@router.get(
    "/stats",
    operation_id="stats",
    responses={**reply(200, "counts, depths and ages at this moment"), **failures(*STORE)},
)
async def stats(service: StatsDep, request: Request) -> StatsRead:
    """Count the tasks by status and queue, and tell how long the oldest has waited."""
    return await service.read(caller_of(request.scope))
