"""`GET /metrics`: the numbers of this process, and the facts of the deployment, for Prometheus."""

from fastapi import APIRouter, Request, Response

from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.openapi.examples import METRICS
from taskq_server.api.openapi.responses import CACHE_CONTROL, STORE, failures, reply
from taskq_server.api.strict_route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["health"])

_PAGE = reply(200, "the numbers", CACHE_CONTROL)
_PAGE[200]["content"] = {
    media_type: {"schema": {"type": "string"}, "examples": examples}
    for media_type, examples in METRICS.items()
}


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Read the metrics",
    response_class=Response,
    responses={**_PAGE, **failures(*STORE)},
)
async def metrics(runtime: RuntimeDep, request: Request) -> Response:
    """Return the numbers of this process, and of the tasks and workers of all namespaces.

    They come in version 0.0.4 of the text format, or as OpenMetrics if `Accept` asks for that.
    They are about everybody's tasks, so an operator's key is needed, wherever one is asked for.
    While the database is away, the facts that are read from it are left out.
    """
    accept = ", ".join(request.headers.getlist("accept"))
    page = await runtime.exposition.of_api(accept)
    headers = {"Cache-Control": "no-store"}
    return Response(page.body, media_type=page.media_type, headers=headers)
