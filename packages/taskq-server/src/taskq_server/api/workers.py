"""The route of the workers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api import answers, namespace_header, pages
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.openapi.responses import LINK, STORE, failures, reply
from taskq_server.api.strict_route import StrictRoute
from taskq_server.domain.errors import InvalidCursor
from taskq_server.schemas.worker import WorkerPage, WorkerQuery, WorkerRead

router = APIRouter(route_class=StrictRoute, tags=["catalog"])


@router.get(
    "/workers",
    operation_id="workers",
    summary="List workers",
    response_model=WorkerPage,
    openapi_extra={"parameters": [namespace_header.PARAMETER]},
    responses={
        **reply(200, "one page, those that have started last first", LINK),
        **failures(*STORE, InvalidCursor),
    },
)
async def workers(
    query: Annotated[WorkerQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """List the live workers that serve the caller's namespace, and what they run now.

    An operator who has named no namespace sees the workers of all.
    """
    page = await runtime.workers.list(
        caller_of(request.scope), limit=query.limit, cursor=query.cursor
    )
    shown = WorkerPage(
        items=[WorkerRead.of(each) for each in page.items], next_cursor=page.next_cursor
    )
    headers = pages.link(request, "/workers", page.next_cursor)
    return answers.document(shown.model_dump(), headers=headers)
