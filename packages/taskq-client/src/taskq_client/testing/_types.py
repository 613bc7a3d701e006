"""The rules as types of pydantic, so that errors have the words of the server."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import cache
from types import GenericAlias
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    create_model,
    model_validator,
)

from taskq_client.testing._rules import OPERATIONS, SCHEMAS

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BOUNDS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "pattern": "pattern",
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
}
_NUMBERS: Mapping[str, type] = {"integer": int, "number": float}

Rule = Mapping[str, Any]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _NewTask(_Request):
    @model_validator(mode="after")
    def _one_start(self) -> "_NewTask":
        given = self.__dict__
        if given["run_at"] is not None and given["delay_seconds"] is not None:
            raise ValueError("give run_at or delay_seconds, not both")
        return self


class _Filter(_Request):
    @model_validator(mode="after")
    def _any(self) -> "_Filter":
        if all(value in (None, []) for value in self.__dict__.values()):
            raise ValueError("give at least one filter")
        return self


class _Changes(_Request):
    @model_validator(mode="after")
    def _any(self) -> "_Changes":
        if not self.model_fields_set:
            raise ValueError("give at least one change")
        return self


class _Bulk(_Request):
    @model_validator(mode="after")
    def _changes_of_an_update(self) -> "_Bulk":
        given = self.__dict__
        if (given["action"] == "update") != (given["changes"] is not None):
            raise ValueError("an update needs changes, and no other action takes any")
        return self


_BASES: Mapping[str, type[_Request]] = {
    "TaskCreate": _NewTask,
    "BulkFilter": _Filter,
    "BulkChanges": _Changes,
    "BulkCreate": _Bulk,
}


@cache
def body(name: str) -> TypeAdapter[BaseModel]:
    """Return the type of a body."""
    return TypeAdapter(_model(name))


@cache
def query(operation: str) -> type[BaseModel]:
    """Return the model of the query of an operation."""
    rules = OPERATIONS[operation]["query"]
    fields: Any = {key: (_type(rule, _in_text), _default(rule)) for key, rule in rules.items()}
    model: type[BaseModel] = create_model(operation, __base__=_Request, **fields)
    return model


@cache
def part(operation: str, name: str) -> TypeAdapter[Any]:
    """Return the type of a part of the path of an operation."""
    return TypeAdapter(_type(OPERATIONS[operation]["parts"][name], _in_text))


@cache
def header(operation: str, name: str) -> TypeAdapter[Any]:
    """Return the type of a header of an operation."""
    return TypeAdapter(_type(OPERATIONS[operation]["headers"][name], _in_text))


@cache
def _model(name: str) -> type[BaseModel]:
    rules = SCHEMAS[name]
    required = rules.get("required", ())
    number = _in_text if name == "BulkFilter" else _in_json  # its filters are those of a query
    fields: Any = {
        key: (_type(rule, number), ... if key in required else _default(rule))
        for key, rule in rules["properties"].items()
    }
    base = _BASES.get(name, _Request)
    model: type[BaseModel] = create_model(name, __base__=base, **fields)
    return model


def _default(rule: Rule) -> Any:
    if "or_one" in rule:
        return Field(default_factory=list)
    if "nullable" in rule or "default" in rule:
        return rule.get("default")
    match rule["type"]:
        case "array":
            return Field(default_factory=list)
        case "object":
            return Field(default_factory=dict)
        case _:
            return None


def _type(rule: Rule, number: Callable[[str, Any], Any]) -> Any:
    """Return the type of a schema; `number` makes the type of a number with bounds."""
    if "$ref" in rule:
        return _model(rule["$ref"]) | None if "nullable" in rule else _model(rule["$ref"])
    bounds: Any = {_BOUNDS[key]: value for key, value in rule.items() if key in _BOUNDS}
    kind: Any
    match rule:
        case {"enum": names}:
            kind = Literal[tuple(names)]
        case {"format": "date-time"}:
            kind = _moment(rule["formatMinimum"], rule["formatExclusiveMaximum"])
        case {"format": "uuid"}:
            kind = _ID
        case {"type": "string"}:
            kind = _text(rule.get("not", {}).get("enum", ()), bounds)
        case {"type": "array"}:
            array = cast(type, GenericAlias(list, _type(rule["items"], number)))
            if "or_one" in rule:  # an empty list is refused before, in other words
                del bounds["min_length"]
                return Annotated[array, Field(**bounds), BeforeValidator(_list_of_one)]
            kind = Annotated[array, Field(**bounds)]
        case {"type": "boolean"}:
            in_text = Annotated[bool, BeforeValidator(_as_json_bool)]
            kind = in_text if number is _in_text else Annotated[bool, Field(strict=True)]
        case {"type": "object"}:
            kind = dict[str, Any]
        case _:
            kind = number(rule["type"], bounds)
    return kind | None if "nullable" in rule else kind


def _in_json(name: str, bounds: Any) -> Any:
    kind = _NUMBERS[name]
    return Annotated[kind, Field(strict=True, **_of(kind, bounds))]


def _in_text(name: str, bounds: Any) -> Any:
    kind = _NUMBERS[name]
    return Annotated[kind, Field(**_of(kind, bounds)), BeforeValidator(_as_json_number)]


def _of(kind: type, bounds: Mapping[str, Any]) -> Any:
    return {key: kind(value) for key, value in bounds.items()}


def _list_of_one(value: object) -> object:
    if value == []:
        raise ValueError("name at least one, or leave it out")
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(no_names: Collection[str], bounds: Any) -> Any:
    def check(name: str) -> str:
        if name in no_names:
            raise ValueError("no schedule can have this name: it means something else in a path")
        return name

    kind = Annotated[str, Field(**bounds)]
    return Annotated[kind, AfterValidator(check)] if no_names else kind


def _rfc_3339(value: object) -> object:
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        return value
    raise ValueError("must be a time as RFC 3339 writes it, with an offset or Z")


def _hyphenated(value: object) -> object:
    if isinstance(value, str) and _UUID.fullmatch(value):
        return value
    raise ValueError("must be a UUID with hyphens")


def _as_json_bool(value: object) -> object:
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return value


def _as_json_number(value: object) -> object:
    if isinstance(value, str) and not _JSON_NUMBER.fullmatch(value):
        raise ValueError("must be a number as JSON writes it")
    return value


def _moment(first: str, end: str) -> Any:
    earliest, latest = datetime.fromisoformat(first), datetime.fromisoformat(end)

    def in_range(value: datetime) -> datetime:
        if not earliest <= value < latest:
            raise ValueError(f"must lie between the years {earliest.year} and {latest.year}")
        return value.astimezone(UTC)

    return Annotated[AwareDatetime, BeforeValidator(_rfc_3339), AfterValidator(in_range)]


_ID = Annotated[UUID, BeforeValidator(_hyphenated)]
