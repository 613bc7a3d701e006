"""Requests about bulk operations, and the operation on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_origin
from uuid import UUID

import orjson
from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from taskq_server.domain import limits
from taskq_server.domain.bulk import Action, NewOperation, Operation, State
from taskq_server.domain.requests import Edit
from taskq_server.domain.task import Priority
from taskq_server.schemas.fields import (
    NUMBER_IN_QUERY,
    Answer,
    MaxRetries,
    Moment,
    PriorityLabel,
    Request,
    TimeoutSeconds,
)
from taskq_server.schemas.query import TaskFilters
from taskq_server.schemas.service import StatusCounts

USUAL_LIMIT = 100_000
_REMARKS = ("title", "description")

ActionLabel = Literal["retry", "cancel", "delete", "update"]
StateLabel = Literal["running", "succeeded", "stopped"]


def _one_or_some(schema: dict[str, Any]) -> None:
    """Say in the document that one value may stand for a list of one, and one filter is needed."""
    schema["minProperties"] = 1
    for name, given in schema["properties"].items():
        if given.get("type") == "array":
            some = {key: value for key, value in given.items() if key not in _REMARKS}
            remarks = {key: value for key, value in given.items() if key in _REMARKS}
            any_of = [given["items"], {**some, "minItems": 1}, {"type": "null"}]
            schema["properties"][name] = {**remarks, "anyOf": any_of}


class BulkFilter(TaskFilters):
    """The filters of `GET /tasks`, at least one of them; null stands for one that is left out."""

    model_config = ConfigDict(json_schema_extra=_one_or_some)

    @field_validator("*", mode="before")
    @classmethod
    def _list_of_one(cls, value: object, info: ValidationInfo) -> object:
        """An empty list is refused, because a filter that finds all is seldom what it means."""
        field = cls.model_fields[info.field_name or ""]
        if get_origin(field.annotation) is not list:
            return value
        if value == []:
            raise ValueError("name at least one, or leave it out")
        if value is None:
            return []
        return value if isinstance(value, list) else [value]

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self._given:
            raise ValueError("give at least one filter")
        return self

    @property
    def _given(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in given.items() if value not in (None, [])}

    def as_json(self) -> str:
        """Return the filters that are given as JSON text; equal values of a list count once."""
        given = {
            name: list(dict.fromkeys(value)) if isinstance(value, list) else value
            for name, value in self._given.items()
        }
        return orjson.dumps(given, option=orjson.OPT_UTC_Z).decode()


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class BulkChanges(Request):
    """Changes of all tasks of an operation, as `PATCH /tasks/{task_id}` makes them; at least one.

    What is left out stays as it is.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    priority: PriorityLabel = Field("normal", json_schema_extra=_without_default)
    max_retries: MaxRetries = Field(0, json_schema_extra=_without_default)
    timeout_seconds: TimeoutSeconds = Field(1.0, json_schema_extra=_without_default)
    run_at: Moment | None = Field(None, description="null: now")

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give at least one change")
        return self

    def as_edit(self) -> Edit:
        """Return the same as a plain value."""
        return Edit(
            given=frozenset(self.model_fields_set),
            priority=Priority.from_label(self.priority),
            max_retries=self.max_retries,
            timeout_seconds=self.timeout_seconds,
            run_at=self.run_at,
        )

    def as_json(self) -> str:
        """Return the changes that are given as JSON text."""
        given = {name: getattr(self, name) for name in sorted(self.model_fields_set)}
        return orjson.dumps(given, option=orjson.OPT_UTC_Z).decode()


class BulkCreate(Request):
    """One action on all tasks that a filter finds."""

    action: ActionLabel
    filter: BulkFilter
    changes: BulkChanges | None = Field(None, description="of an update, and of nothing else")
    dry_run: Annotated[bool, Field(strict=True)] = Field(
        False, description="count the tasks, and do nothing"
    )
    limit: Annotated[int, Field(strict=True, ge=1, le=limits.BULK_TASKS)] = Field(
        USUAL_LIMIT, description="most tasks that the operation looks at"
    )

    @model_validator(mode="after")
    def _changes_of_an_update(self) -> Self:
        if (self.action == "update") != (self.changes is not None):
            raise ValueError("an update needs changes, and no other action takes any")
        return self

    def as_new_operation(self) -> NewOperation:
        """Return the same as a plain value."""
        return NewOperation(
            action=Action(self.action),
            wanted=self.filter.as_filter(),
            filter=self.filter.as_json(),
            edit=None if self.changes is None else self.changes.as_edit(),
            changes=None if self.changes is None else self.changes.as_json(),
            limit=self.limit,
        )


class BulkQuery(Request):
    """The query parameters of `GET /bulk`."""

    state: list[StateLabel] = Field(default_factory=list, description="any of these")
    limit: Annotated[int, Field(ge=1, le=limits.PAGE_ITEMS), NUMBER_IN_QUERY] = 50
    cursor: (
        Annotated[str, StringConstraints(min_length=1, max_length=limits.CURSOR_LENGTH)] | None
    ) = Field(None, description="`next_cursor` of the page before")

    @property
    def states(self) -> tuple[State, ...]:
        """The states as plain values, each once."""
        return tuple(map(State, dict.fromkeys(self.state)))


class BulkCount(Answer):
    """How many tasks a filter finds."""

    count: int = Field(description="tasks; a lower bound if `exact` is false")
    exact: bool = Field(description="false if there are too many to count within a second")
    by_status: StatusCounts = Field(description="the same by status")


class BulkRead(Answer):
    """A bulk operation, and how far it is."""

    id: UUID
    action: ActionLabel
    filter: dict[str, JsonValue] = Field(description="as it was given")
    changes: dict[str, JsonValue] | None
    limit: int
    state: StateLabel
    matched: int = Field(description="tasks found so far: the sum of `done`, `skipped`, `failed`")
    done: int = Field(description="tasks that were changed or deleted")
    skipped: int = Field(
        description="tasks that no longer matched, whose status does not allow the action, that "
        "ended after the operation began, or whose handler the maker may not run"
    )
    failed: int = Field(description="tasks for which there was no room (`TASKQ_MAX_WAITING`)")
    key_id: str | None = Field(description="the key that made it")
    created_at: datetime = Field(description="when it began; it leaves later tasks alone")
    finished_at: datetime | None


class BulkPage(Answer):
    """One page of bulk operations."""

    items: list[BulkRead]
    next_cursor: str | None


_SHOWN = tuple(name for name in BulkRead.model_fields if name not in ("filter", "changes"))


def shown(operation: Operation) -> dict[str, Any]:
    """Return an operation as it goes over the wire."""
    changes = operation.changes
    return {
        **{name: getattr(operation, name) for name in _SHOWN},
        "filter": orjson.Fragment(operation.filter),
        "changes": None if changes is None else orjson.Fragment(changes),
    }
