"""Probes for liveness and readiness."""

import asyncio

from fastapi import APIRouter, Request, Response

from taskq_server.api.body.reading import JSON
from taskq_server.api.caller import caller_of_probe
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.openapi.responses import RETRY_AFTER, failures, reply
from taskq_server.api.strict_route import StrictRoute
from taskq_server.domain import scopes
from taskq_server.schemas.service import Live, Ready

router = APIRouter(route_class=StrictRoute, tags=["health"])


@router.get(
    "/livez",
    operation_id="livez",
    summary="Is the process alive?",
    responses={**reply(200, "the process answers"), **failures(is_open=True)},
)
async def livez() -> Live:
    """Return `ok` if the process answers, without a look at database or Redis."""
    return Live(status="ok")


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Is it ready for requests?",
    response_model=Ready,
    responses={
        **reply(200, "requests can be served"),
        **reply(503, "the database is away, or the server stops", RETRY_AFTER, model=Ready),
        **failures(is_open=True),
    },
)
async def readyz(runtime: RuntimeDep, request: Request) -> Response:
    """Return whether requests can be served: the database must take writes, Redis need not.

    Callers with `metrics:read` see the reasons, and everybody does where no key is asked for.
    """
    ready, caller = await asyncio.gather(runtime.readiness.check(), caller_of_probe(request.scope))
    sees_reasons = caller is not None and caller.may(scopes.METRICS)
    body = ready.model_dump_json(exclude=None if sees_reasons else {"reasons"})
    if ready.status == "ok":
        return Response(body, media_type=JSON)
    return Response(body, 503, {"Retry-After": "1"}, JSON)
