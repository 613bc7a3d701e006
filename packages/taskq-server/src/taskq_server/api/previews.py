"""The route that shows when a schedule would fire."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskq_server.api import answers
from taskq_server.api.dependencies import RuntimeDep
from taskq_server.api.openapi.responses import STORE, failures, reply
from taskq_server.api.strict_route import StrictRoute
from taskq_server.domain.errors import InvalidSchedule, UnknownTimezone
from taskq_server.domain.times import Timing, describe, require, upcoming
from taskq_server.schemas.preview import PreviewQuery, SchedulePreview

router = APIRouter(route_class=StrictRoute, tags=["schedules"])


@router.get(
    "/schedules/preview",
    operation_id="preview_schedule",
    summary="Preview a schedule",
    response_model=SchedulePreview,
    responses={
        **reply(200, "the next times"),
        **failures(*STORE, InvalidSchedule, UnknownTimezone),
    },
)
async def preview(
    query: Annotated[PreviewQuery, Query()], request: Request, runtime: RuntimeDep
) -> Response:
    """Show when a schedule would fire, and say its times in English; nothing is stored.

    Where clocks are moved, a fixed time that they skip comes when they have been moved, and one
    that they show twice comes once; where minute or hour begins with `*`, times follow real time.
    """
    shown = (query.cron, query.every_seconds, query.timezone, query.starts_at, query.ends_at)
    require(*shown, within="/query")
    now = runtime.clock()
    timing = Timing(*shown, created_at=now)
    found = upcoming(timing, now, query.count)
    return answers.document({"times": found, "text": describe(timing)})
