"""A preview of a schedule's times."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from taskq_server.domain import limits
from taskq_server.schemas.fields import NUMBER_IN_QUERY, Answer, Moment, Request
from taskq_server.schemas.schedule import Cron, Timezone


class PreviewQuery(Request):
    """The query parameters of `GET /schedules/preview`."""

    cron: Cron | None = Field(
        None, description="five fields as Debian's cron reads them, or an alias such as `@daily`"
    )
    every_seconds: (
        Annotated[float, Field(ge=1, le=limits.EVERY_SECONDS), NUMBER_IN_QUERY] | None
    ) = Field(
        None,
        description="seconds from one time to the next; instead of `cron`. They are counted from "
        "`starts_at`, which is the first time, or else from now",
    )
    timezone: Timezone = Field("UTC", description="the zone of `cron`, by its IANA name")
    starts_at: Moment | None = Field(None, description="no time is earlier")
    ends_at: Moment | None = Field(None, description="no time is later")
    count: Annotated[int, Field(ge=1, le=limits.PREVIEW_TIMES), NUMBER_IN_QUERY] = Field(
        10, description="how many times; there are fewer if there are no more"
    )


class SchedulePreview(Answer):
    """The next times of a schedule, whether it is stored or not."""

    times: list[datetime] = Field(description="from now on, in order")
    text: str = Field(description="`cron` or `every_seconds` in English")
