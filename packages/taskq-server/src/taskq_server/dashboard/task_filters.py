"""The filters of the list of tasks, which the address of a page has as `GET /tasks` takes them."""

from collections.abc import Mapping
from typing import Any, get_origin
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, Field, JsonValue

from taskq_server.dashboard import forms
from taskq_server.domain.errors import FieldError, InvalidFields
from taskq_server.schemas.bulk import BulkFilter
from taskq_server.schemas.query import TaskFilters, TaskQuery

Texts = list[str]
_FILTERS = frozenset(TaskFilters.model_fields)
_LISTS = frozenset(
    name for name, field in TaskQuery.model_fields.items() if get_origin(field.annotation) is list
)


class Asked(BaseModel):
    """The parameters of `TaskQuery` as any texts, so that a form can show what is refused."""

    status: Texts = Field(default_factory=list)
    priority: Texts = Field(default_factory=list)
    tag: Texts = Field(default_factory=list)
    handler: Texts = Field(default_factory=list)
    queue: Texts = Field(default_factory=list)
    error_type: Texts = Field(default_factory=list)
    attempt_min: Texts = Field(default_factory=list)
    created_after: Texts = Field(default_factory=list)
    created_before: Texts = Field(default_factory=list)
    finished_after: Texts = Field(default_factory=list)
    finished_before: Texts = Field(default_factory=list)
    q: Texts = Field(default_factory=list)
    id: Texts = Field(default_factory=list)
    schedule: Texts = Field(default_factory=list)
    order: Texts = Field(default_factory=list)
    limit: Texts = Field(default_factory=list)
    cursor: Texts = Field(default_factory=list)

    def get(self, name: str) -> str:
        """Return the value of a parameter that counts once; empty where there is none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Return all values of a parameter but empty ones."""
        return [text for text in getattr(self, name) if text]

    @property
    def has_empty(self) -> bool:
        """Whether fields were left empty, as a form without the script sends them."""
        return any("" in getattr(self, name) for name in type(self).model_fields)

    @property
    def filters(self) -> list[str]:
        """The names of the filters that are given."""
        return [name for name in type(self).model_fields if name in _FILTERS and self.all(name)]

    def pairs(self, *, leave_out: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        """Return what is given as names and values of an address.

        Args:
            leave_out: names of parameters that are not wanted.
        """
        return [
            (name, text)
            for name in type(self).model_fields
            if name not in leave_out
            for text in self.all(name)
        ]

    def path(self, path: str = "/tasks", **more: str) -> str:
        """Return an address below the dashboard with what is given."""
        pairs = [*self.pairs(), *more.items()]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def query(self) -> TaskQuery:
        """Return what the API takes these parameters for.

        Raises:
            InvalidFields: it does not take them.
        """
        return forms.parsed(TaskQuery, self._members(TaskQuery.model_fields))

    def bulk_filter(self) -> BulkFilter:
        """Return the filter of a bulk operation.

        Raises:
            InvalidFields: the API does not take it, or no filter is given.
        """
        return forms.parsed(BulkFilter, self._members(dict.fromkeys(self.filters)))

    def _members(self, names: Mapping[str, Any]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name in names:
            texts = self.all(name)
            if texts:
                members[name] = texts if name in _LISTS else _once(name, texts)
        return members


def as_words(filter_: BulkFilter) -> dict[str, JsonValue]:
    """Return the filters that are given, as a bulk operation shows them."""
    return members(filter_.as_json())


def members(text: str) -> dict[str, JsonValue]:
    """Return the members of a stored filter or of stored changes."""
    found: dict[str, JsonValue] = orjson.loads(text)
    return found


def pairs(filter_: Mapping[str, JsonValue]) -> list[tuple[str, JsonValue]]:
    """Return a stored filter as names and values of an address."""
    return [
        (name, one)
        for name, value in filter_.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]


def _once(name: str, texts: list[str]) -> str:
    if len(texts) > 1:
        detail = f"/{name}: give it once"
        raise InvalidFields(detail, [FieldError(f"/{name}", "repeated-parameter", detail)])
    return texts[0]
