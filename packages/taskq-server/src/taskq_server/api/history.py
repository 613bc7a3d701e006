"""Routes that tell what happened lately."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api import answers
from taskq_server.api.caller import caller_of
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.openapi.responses import STORE, failures, reply
from taskq_server.api.strict_route import StrictRoute
from taskq_server.schemas.history import FailureList, FailuresQuery, HistoryQuery, HistoryRead

router = APIRouter(route_class=StrictRoute, tags=["catalog"])


@router.get(
    "/stats/history",
    operation_id="stats_history",
    summary="Follow the queues",
    response_model=HistoryRead,
    responses={**reply(200, "the last minutes, up to the present one"), **failures(*STORE)},
)
async def stats_history(
    query: Annotated[HistoryQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Tell what ended, waited and ran in each queue, minute by minute, for up to seven days."""
    caller = caller_of(request.scope)
    found = await runtime.history.read(caller, query.minutes, query.queue)
    return answers.document(asdict(found))


@router.get(
    "/failures",
    operation_id="failures",
    summary="Group failures",
    response_model=FailureList,
    responses={**reply(200, "groups of failures, the largest first"), **failures(*STORE)},
)
async def list_failures(
    query: Annotated[FailuresQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Group the tasks that failed for good lately, and those that are retrying.

    A group has one handler, one type of error and one first line of its message.
    """
    found = await runtime.failures.read(caller_of(request.scope), query.since_seconds)
    items = [
        {
            "handler": group.handler,
            "type": group.error_type,
            "message": group.first_line,
            "failed": group.failed,
            "retrying": group.retrying,
            "last_at": group.last_at,
            "example": group.example,
        }
        for group in found.groups
    ]
    return answers.document({"items": items, "exact": found.exact})
