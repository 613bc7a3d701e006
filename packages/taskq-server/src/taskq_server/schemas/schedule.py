"""Requests about schedules, and the schedule on the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from taskq_server.domain import limits
from taskq_server.domain.errors import FieldError, InvalidFields
from taskq_server.domain.schedule import CatchUp, Overlap, Schedule
from taskq_server.domain.schedule_edits import NewSchedule
from taskq_server.schemas.fields import (
    NUMBER_IN_QUERY,
    PROSE_PATTERN,
    Answer,
    HandlerName,
    Moment,
    Request,
    ScheduleName,
)
from taskq_server.schemas.task import TaskCreate, TaskTemplate

NAMES_OF_PATHS = frozenset({"preview", ".", ".."})
"""Names that no schedule gets, because they mean something else in a path."""

OverlapLabel = Literal["skip", "queue", "allow", "cancel"]
CatchUpLabel = Literal["last", "all", "none"]


def _not_a_path(name: str) -> str:
    if name in NAMES_OF_PATHS:
        raise ValueError("no schedule can have this name: it means something else in a path")
    return name


NewName = Annotated[
    ScheduleName,
    AfterValidator(_not_a_path),
    Field(json_schema_extra={"not": {"enum": sorted(NAMES_OF_PATHS)}}),
]
"""The name of a schedule that is set; code alone sets those that begin with `code:`."""

Cron = Annotated[str, StringConstraints(min_length=1, max_length=limits.CRON_LENGTH)]
EverySeconds = Annotated[float, Field(strict=True, ge=1, le=limits.EVERY_SECONDS)]
Timezone = Annotated[str, StringConstraints(min_length=1, max_length=limits.TIMEZONE_LENGTH)]
Note = Annotated[
    str, StringConstraints(max_length=limits.SCHEDULE_NOTE_LENGTH, pattern=PROSE_PATTERN)
]
_CatchUpSeconds = Annotated[float, Field(strict=True, ge=0, le=limits.CATCH_UP_SECONDS)]
_JitterSeconds = Annotated[float, Field(strict=True, ge=0, le=limits.JITTER_SECONDS)]
_Flag = Annotated[bool, Field(strict=True)]


def _as_json_bool(value: object) -> object:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("must be true or false")
    return value


_FlagInQuery = Annotated[bool, BeforeValidator(_as_json_bool)]


class ScheduleWrite(Request):
    """A schedule: a task, and the times at which it is submitted."""

    cron: Cron | None = Field(
        None, description="five fields as Debian's cron reads them, or an alias such as `@daily`"
    )
    every_seconds: EverySeconds | None = Field(
        None, description="seconds from one time to the next; instead of `cron`"
    )
    timezone: Timezone = Field("UTC", description="the zone of `cron`, by its IANA name")
    task: TaskTemplate = Field(description="what is submitted at each time")
    overlap: OverlapLabel = Field(
        "skip", description="what happens at a time at which the last task is not final"
    )
    catch_up: CatchUpLabel = Field(
        "last", description="which of the times that passed unseen get a task"
    )
    catch_up_seconds: _CatchUpSeconds = Field(
        limits.CATCH_UP_DEFAULT,
        description="for how long a time that passed unseen may still get one",
    )
    jitter_seconds: _JitterSeconds = Field(
        0, description="tasks are submitted up to so many seconds after their time"
    )
    starts_at: Moment | None = Field(None, description="no time is earlier")
    ends_at: Moment | None = Field(None, description="no time is later")
    paused: _Flag | None = Field(
        None, description="whether it fires at no time; null: as it was, and a new one fires"
    )
    note: Note | None = Field(None, description="for people; as it was when it is left out")

    def as_new_schedule(self) -> NewSchedule:
        """Return the same as a plain value."""
        given = self.task.model_dump(exclude_none=True)
        return NewSchedule(
            cron=self.cron,
            every_seconds=self.every_seconds,
            timezone=self.timezone,
            task=orjson.dumps(given).decode(),
            handler=self.task.handler,
            overlap=Overlap(self.overlap),
            catch_up=CatchUp(self.catch_up),
            catch_up_seconds=self.catch_up_seconds,
            jitter_seconds=self.jitter_seconds,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            paused=self.paused,
            note=self.note,
            has_note="note" in self.model_fields_set,
        )


def _required(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class TemplatePatch(TaskTemplate):
    """Changes of what is submitted (RFC 7396): absent means unchanged, null resets."""

    handler: HandlerName = Field("", json_schema_extra=_required)


class SchedulePatch(Request):
    """A JSON merge patch (RFC 7396): absent means unchanged, null resets."""

    cron: Cron | None = None
    every_seconds: EverySeconds | None = None
    timezone: Timezone | None = None
    task: TemplatePatch | None = Field(None, description="merged, too; not null")
    overlap: OverlapLabel | None = None
    catch_up: CatchUpLabel | None = None
    catch_up_seconds: _CatchUpSeconds | None = None
    jitter_seconds: _JitterSeconds | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    paused: _Flag | None = None
    note: Note | None = None

    def as_patch(self) -> dict[str, Any]:
        """Return what is given, null included."""
        return self.model_dump(exclude_unset=True)


class SchedulePause(Request):
    """Why a schedule is paused."""

    note: Note | None = Field(None, description="for people; as it was when null")


class ScheduleQuery(Request):
    """The query parameters of `GET /schedules`."""

    handler: HandlerName | None = Field(None, description="of their tasks")
    paused: _FlagInQuery | None = Field(None, description="only those that are paused, or are not")
    limit: Annotated[int, Field(ge=1, le=limits.PAGE_ITEMS), NUMBER_IN_QUERY] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=limits.CURSOR_LENGTH)] | None = Field(
        None, description="`next_cursor` of the page before"
    )


class ScheduledTask(TaskTemplate):
    """What is submitted, as it was given; null is what was left out."""

    model_config = ConfigDict(extra="ignore")


class ScheduleRead(Answer):
    """A schedule as it stands."""

    name: str = Field(description="`code:` and a handler for one that code declares")
    cron: str | None
    every_seconds: float | None
    timezone: str
    task: ScheduledTask
    overlap: OverlapLabel
    catch_up: CatchUpLabel
    catch_up_seconds: float
    jitter_seconds: float
    starts_at: datetime | None
    ends_at: datetime | None
    paused: bool
    paused_at: datetime | None
    note: str | None
    declared: bool = Field(description="code declares it, which alone changes it")
    next_fire_at: datetime | None = Field(
        description="its next time, before jitter; null if it is paused, or has ended"
    )
    last_fire_at: datetime | None = Field(description="the time of its last task")
    last_task_id: str | None = Field(description="its last task, which may be deleted by now")
    fired: int = Field(description="tasks that it has submitted")
    skipped: int = Field(description="times at which the last task was not final")
    missed: int = Field(description="times that passed unseen, or whose task was refused")
    last_error: str | None = Field(description="why the last task was refused; null if it was not")
    key_id: str | None = Field(description="the key that has set it, by whose rights it submits")
    version: int = Field(description="counts its changes, and no times that pass")
    created_at: datetime
    updated_at: datetime


class SchedulePage(Answer):
    """One page of schedules, by name."""

    items: list[ScheduleRead]
    next_cursor: str | None


_SHOWN = tuple(name for name in ScheduleRead.model_fields if name in Schedule.__slots__)
_GIVEN = tuple(ScheduledTask.model_fields)
_WRITTEN = tuple(name for name in ScheduleWrite.model_fields if name in Schedule.__slots__)


def shown(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as it goes over the wire."""
    given = orjson.loads(schedule.task)
    return {
        **{name: getattr(schedule, name) for name in _SHOWN},
        "task": {name: given.get(name) for name in _GIVEN},
        "paused": schedule.paused_at is not None,
        "declared": schedule.declaration is not None,
    }


def submit_of(task: str) -> TaskCreate:
    """Return the submit that a schedule makes, given its task as JSON text."""
    return TaskCreate.model_validate_json(task)


def patched(schedule: Schedule, patch: Mapping[str, Any]) -> NewSchedule:
    """Return what a schedule is to be after a merge patch.

    Raises:
        InvalidFields: the result is no schedule; with pointers.
    """
    now = {name: getattr(schedule, name) for name in _WRITTEN}
    now |= {"overlap": schedule.overlap.value, "catch_up": schedule.catch_up.value}
    now |= {"task": orjson.loads(schedule.task), "paused": schedule.paused_at is not None}
    merged = {"note": None, **_merged(now, patch)}
    try:
        return ScheduleWrite.model_validate(merged).as_new_schedule()
    except ValidationError as error:
        found = [
            FieldError("".join(f"/{part}" for part in one["loc"]), "invalid-value", one["msg"])
            for one in error.errors(include_url=False)
        ]
        detail = f"{found[0].pointer}: {found[0].detail}"
        raise InvalidFields(detail, found) from None


def _merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a merge patch (RFC 7396)."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged
