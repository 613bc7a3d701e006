"""Routes that list handlers and tags."""

from fastapi import APIRouter

from taskq_server.api.dependencies import CatalogDep
from taskq_server.api.documentation import STORE, failures, reply
from taskq_server.api.routes import StrictRoute
from taskq_server.schemas.service import HandlerList, TagList

router = APIRouter(route_class=StrictRoute, tags=["catalog"])


@router.get(
    "/tags",
    operation_id="tags",
    responses={**reply(200, "all tags in use, by name"), **failures(*STORE)},
)
async def tags(catalog: CatalogDep) -> TagList:
    """List the tags in use, and how many tasks carry each."""
    return TagList(items=await catalog.tags())


@router.get(
    "/handlers",
    operation_id="handlers",
    responses={**reply(200, "all published handlers, by name"), **failures(*STORE)},
)
async def handlers(catalog: CatalogDep) -> HandlerList:
    """List the handlers that workers have published, with the JSON Schema of their payloads."""
    return HandlerList(items=await catalog.handlers())
