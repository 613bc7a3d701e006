"""The query parameters of `GET /tasks`, whose filters bulk operations share."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from taskq_server.domain import limits
from taskq_server.domain.requests import TaskFilter
from taskq_server.domain.task import Priority, Status
from taskq_server.schemas.fields import (
    NUMBER_IN_QUERY,
    ErrorTypeName,
    HandlerName,
    IdPrefix,
    Moment,
    PriorityLabel,
    QueueName,
    Request,
    ScheduleName,
    StatusLabel,
    TagName,
    TitlePrefix,
)


class TaskFilters(Request):
    """Filters of tasks."""

    status: list[StatusLabel] = Field(default_factory=list, description="any of these")
    priority: list[PriorityLabel] = Field(default_factory=list, description="any of these")
    tag: list[TagName] = Field(
        default_factory=list, max_length=limits.FILTER_TAGS, description="all of these"
    )
    handler: list[HandlerName] = Field(
        default_factory=list, max_length=limits.FILTER_NAMES, description="any of these"
    )
    queue: list[QueueName] = Field(
        default_factory=list, max_length=limits.FILTER_NAMES, description="any of these"
    )
    error_type: ErrorTypeName | None = Field(
        None, description="failed or retrying because of an error of this type"
    )
    attempt_min: Annotated[int, Field(ge=1, le=limits.ATTEMPT), NUMBER_IN_QUERY] | None = Field(
        None, description="this many attempts or more, one under way included"
    )
    created_after: Moment | None = Field(None, description="created at this time or later")
    created_before: Moment | None = Field(None, description="created before this time")
    finished_after: Moment | None = Field(None, description="final since this time or later")
    finished_before: Moment | None = Field(None, description="final since before this time")
    q: TitlePrefix | None = Field(None, description="how the title begins")
    id: IdPrefix | None = Field(None, description="how the id begins")
    schedule: ScheduleName | None = Field(
        None, description="fired by the schedule of this name, which may be deleted by now"
    )

    def as_filter(self) -> TaskFilter:
        """Return the filters as a plain value."""
        return TaskFilter(
            statuses=tuple(map(Status, self.status)),
            priorities=tuple(map(Priority.from_label, self.priority)),
            tags=tuple(self.tag),
            handlers=tuple(self.handler),
            queues=tuple(self.queue),
            error_type=self.error_type,
            attempt_min=self.attempt_min,
            created_after=self.created_after,
            created_before=self.created_before,
            finished_after=self.finished_after,
            finished_before=self.finished_before,
            title_prefix=self.q,
            id_prefix=self.id,
            schedule=self.schedule,
        )


class TaskQuery(TaskFilters):
    """Filters, order and page of `GET /tasks`."""

    order: Literal["-created_at", "created_at"] = "-created_at"
    limit: Annotated[int, Field(ge=1, le=limits.PAGE_ITEMS), NUMBER_IN_QUERY] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=limits.CURSOR_LENGTH)] | None = Field(
        None, description="`next_cursor` of the page before"
    )

    def as_filter(self) -> TaskFilter:
        """Return the filters and the order as a plain value."""
        return replace(super().as_filter(), descending=self.order == "-created_at")
