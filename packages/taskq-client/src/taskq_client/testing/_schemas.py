"""Check requests by the rules, and refuse a request as the server does."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from taskq_client.testing import _types
from taskq_client.testing._problems import MAX_ERRORS, Problem, field, pointer
from taskq_client.testing._rules import OPERATIONS

_CODES = {
    "model_attributes_type": "not-an-object",
    "dict_type": "not-an-object",
    "extra_forbidden": "unknown-field",
    "literal_error": "not-one-of",
    "value_error": "invalid-value",
}

_PATCHES = ("TaskUpdate", "SchedulePatch")

Fault = Mapping[str, Any]


def read_body(name: str, document: object) -> tuple[dict[str, Any], list[Fault]]:
    """Validate a body; return its fields, and its errors."""
    try:
        found = _types.body(name).validate_python(document, from_attributes=True)
    except ValidationError as error:
        return {}, [{**one, "loc": ("body", *one["loc"])} for one in _errors(error)]
    return found.model_dump(exclude_unset=name in _PATCHES), []


def read_query(
    operation: str, given: Sequence[tuple[str, str]]
) -> tuple[dict[str, Any], list[Fault]]:
    """Validate a query; return its parameters, and their errors."""
    rules = OPERATIONS[operation]["query"]
    values: dict[str, Any] = {}
    for name, value in given:
        if rules[name]["type"] == "array":
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    try:
        return _types.query(operation).model_validate(values).model_dump(), []
    except ValidationError as error:
        return {}, [{**one, "loc": ("query", *one["loc"])} for one in _errors(error)]


def read_header(operation: str, name: str, value: str) -> list[Fault]:
    """Validate a header; return its errors."""
    try:
        _types.header(operation, name).validate_python(value)
    except ValidationError as error:
        return [{**one, "loc": ("header", name)} for one in _errors(error)]
    return []


def read_part(operation: str, name: str, value: str) -> list[Fault]:
    """Validate a part of a path; return its errors."""
    try:
        _types.part(operation, name).validate_python(value)
    except ValidationError as error:
        return [{**one, "loc": ("path", name)} for one in _errors(error)]
    return []


def check_names(operation: str, given: Iterable[tuple[str, str]]) -> None:
    """Refuse unknown parameters, and repeated ones that an operation takes once."""
    rules = OPERATIONS[operation]["query"]
    seen: set[str] = set()
    errors = []
    for name, _ in given:
        where = pointer(("query", name))
        if name not in rules:
            errors.append(field(where, "unknown-parameter", "there is no such parameter"))
        elif name in seen and rules[name]["type"] != "array":
            errors.append(field(where, "repeated-parameter", "give it once"))
        seen.add(name)
    if errors:
        detail = "the query has parameters that this route does not take"
        raise Problem("invalid-request", detail, errors)


def refuse(faults: Sequence[Fault]) -> None:
    """Raise the problem of the server, if there are errors."""
    errors = [
        field(
            pointer(one["loc"][1:] if one["loc"][0] == "body" else one["loc"]),
            _CODES.get(one["type"], one["type"].replace("_", "-")),
            one["msg"].removeprefix("Value error, "),
        )
        for one in faults[:MAX_ERRORS]
    ]
    if errors:
        first = errors[0]
        more = f"; and {len(errors) - 1} more" if len(errors) > 1 else ""
        detail = f"{first['pointer'] or 'the body'}: {first['detail']}{more}"
        raise Problem("invalid-request", detail, errors)


def _errors(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False, include_context=False))
