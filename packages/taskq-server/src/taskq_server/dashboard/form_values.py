"""Fill a form from a payload, and read the payload back from it.

The two are inverse: where an input could not hold a value exactly as it is, because browsers change
some characters or a line means something else, its field becomes one for JSON text.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, NamedTuple, assert_never

from pydantic import JsonValue

from taskq_server.api.body import strict_json
from taskq_server.dashboard.form_fields import Empty, Field, Kind, as_json_input
from taskq_server.domain.errors import FieldError, InvalidFields, Rejected
from taskq_server.services.submission import canonical

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CHANGED_BY_BROWSERS = re.compile("[\r\0]")


class Missing(Enum):
    """No value: the member is left out."""

    MISSING = auto()


MISSING = Missing.MISSING
Value = JsonValue | Missing


class Filled(NamedTuple):
    """A form with values in its inputs.

    Attributes:
        fields: of the form, some of them for JSON text now.
        values: by the name of the input; what is not there is empty.
    """

    fields: tuple[Field, ...]
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Read:
    """What a form says.

    Attributes:
        members: the values by name.
        errors: of inputs that are no JSON text, or hold numbers that no JSON has.
    """

    members: dict[str, JsonValue]
    errors: tuple[FieldError, ...]


def fill(fields: Iterable[Field], members: Mapping[str, JsonValue]) -> Filled | None:
    """Return a form that says the same as an object.

    Args:
        fields: of the object.
        members: its members; what is not there is left as in a new form.

    Returns:
        None if the object has members that no field is for.
    """
    filled = [_filled(one, members.get(one.name, MISSING)) for one in fields]
    if members.keys() - {one.name for one, _ in filled}:
        return None
    values = {name: text for _, inputs in filled for name, text in inputs.items()}
    return Filled(tuple(one for one, _ in filled), values)


def as_sent(fields: Iterable[Field], values: Mapping[str, str]) -> tuple[Field, ...]:
    """Return the fields as the form had them that was sent: some of them for JSON text."""

    def sent(one: Field) -> Field:
        if as_json_input(one.pointer) in values:
            return one.as_json
        return replace(one, members=tuple(map(sent, one.members)))

    return tuple(map(sent, fields))


def read(fields: Iterable[Field], values: Mapping[str, str]) -> Read:
    """Return what a form says.

    Args:
        fields: as they were in the form that was sent.
        values: by the name of the input.
    """
    members: dict[str, JsonValue] = {}
    errors: list[FieldError] = []
    for one in fields:
        try:
            value = _value(one, values)
        except InvalidFields as error:
            errors += error.errors
        else:
            if value is not MISSING:
                members[one.name] = value
    return Read(members, tuple(errors))


def inputs(fields: Iterable[Field]) -> Iterator[str]:
    """Yield the names of all inputs of some fields."""
    for one in fields:
        yield from (one.input, one.empty_input)
        yield from inputs(one.members)


def json_at(pointer: str, text: str) -> Any:
    """Return the value of JSON text that was typed.

    Args:
        pointer: to the value in the body of a submit.
        text: by the API's own rules for JSON.

    Raises:
        InvalidFields: it is none; the pointers begin with `pointer`.
    """
    try:
        return strict_json.parse(text.encode("utf-8", "surrogatepass"))
    except InvalidFields as error:
        inner = [replace(one, pointer=pointer + one.pointer) for one in error.errors]
        raise InvalidFields(str(error), inner) from None
    except Rejected as error:
        detail = f"this is no JSON: {error}"
        raise InvalidFields(detail, [FieldError(pointer, "invalid-json", detail)]) from None


def is_day(text: str) -> bool:
    """Return whether an input for dates keeps a text as it is."""
    return not text or (_DAY.fullmatch(text) is not None and text > "0001")


def _value(field: Field, values: Mapping[str, str]) -> Value:
    if field.kind is Kind.GROUP:
        return _object(field, values)
    text = values.get(field.input, "")
    if field.kind in (Kind.JSON, Kind.NUMBER, Kind.DATE):
        text = text.strip()
    return _typed(field, text) if text else _left_empty(field, values)


def _typed(field: Field, text: str) -> JsonValue:
    match field.kind:
        case Kind.TEXT | Kind.DATE:
            return text
        case Kind.NUMBER:
            return _number(field.pointer, text)
        case Kind.CHOICE | Kind.JSON:
            value: JsonValue = json_at(field.pointer, text)
            return value
        case Kind.LINES:
            return [line for line in text.split("\n") if line]
        case Kind.NUMBERS:
            lines = filter(None, map(str.strip, text.split("\n")))
            return [_number(f"{field.pointer}/{at}", line) for at, line in enumerate(lines)]
        case Kind.GROUP:
            raise AssertionError("a group has no text of its own")
        case _:
            assert_never(field.kind)


def _number(pointer: str, text: str) -> JsonValue:
    """Return a number; what is none stays a text, of which the validator says that."""
    if not _NUMBER.fullmatch(text):
        return text
    value: JsonValue = json_at(pointer, text)
    return value


def _left_empty(field: Field, values: Mapping[str, str]) -> Value:
    match _meaning(field, values):
        case Empty.ABSENT:
            return MISSING
        case Empty.NULL:
            return None
        case Empty.EMPTY:
            return "" if field.kind is Kind.TEXT else []
        case never:
            assert_never(never)


def _object(field: Field, values: Mapping[str, str]) -> Value:
    """Return what a group says: its own choice counts only as long as nothing is typed inside."""
    match _meaning(field, values):
        case Empty.ABSENT if _is_untouched(field.members, values):
            return MISSING
        case Empty.NULL if _is_untouched(field.members, values):
            return None
        case _:
            inner = read(field.members, values)
            if inner.errors:
                raise InvalidFields(inner.errors[0].detail, inner.errors)
            return inner.members


def _is_untouched(fields: tuple[Field, ...], values: Mapping[str, str]) -> bool:
    new = {name: text for one in fields for name, text in _filled(one, MISSING)[1].items()}
    return all(
        values.get(one.input, "") == new.get(one.input, "")
        and _meaning(one, values) is _meaning(one, new)
        for one in fields
    )


def _meaning(field: Field, values: Mapping[str, str]) -> Empty:
    given = values.get(field.empty_input)
    return next((one for one in field.empties if one == given), field.empties[0])


def _filled(field: Field, value: Value) -> tuple[Field, dict[str, str]]:
    """Return a field, and its inputs, that say exactly a value."""
    if value is MISSING:
        return field, _inputs_of_nothing(field)
    found, values = (
        (field, _inputs(field, value))
        if field.kind is not Kind.GROUP
        else (_filled_group(field, value))
    )
    if values is not None and _says(found, values, value):
        return found, values
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return field.as_json, {field.as_json.input: text}


def _inputs_of_nothing(field: Field) -> dict[str, str]:
    if field.kind is Kind.CHOICE and field.is_required and len(field.choices) == 1:
        return {field.input: field.choices[0]}
    inner = {name: text for one in field.members for name, text in _inputs_of_nothing(one).items()}
    return (
        inner if Empty.ABSENT not in field.empties else {**inner, field.empty_input: Empty.ABSENT}
    )


def _filled_group(field: Field, value: JsonValue) -> tuple[Field, dict[str, str] | None]:
    if value is None:
        return field, {**_inputs_of_nothing(field), field.empty_input: Empty.NULL}
    inner = fill(field.members, value) if isinstance(value, dict) else None
    if inner is None:
        return field, None
    return replace(field, members=inner.fields), {**inner.values, field.empty_input: Empty.EMPTY}


def _inputs(field: Field, value: JsonValue) -> dict[str, str] | None:
    """Return inputs that may say a value; None if none do."""
    if field.kind is Kind.JSON:
        return {field.input: json.dumps(value, ensure_ascii=False, indent=2)}
    if field.kind is Kind.CHOICE:
        return {field.input: json.dumps(value)}
    match value:
        case None:
            return {field.empty_input: Empty.NULL}
        case "" | []:
            return {field.empty_input: Empty.EMPTY}
        case str():
            return {field.input: value}
        case list():
            lines = [one if isinstance(one, str) else json.dumps(one) for one in value]
            return {field.input: "\n".join(lines)}
        case _:
            return {field.input: json.dumps(value)}


def _says(field: Field, values: Mapping[str, str], value: JsonValue) -> bool:
    if field.kind is Kind.CHOICE and values[field.input] not in field.choices:
        return False
    if any(_CHANGED_BY_BROWSERS.search(text) for text in values.values()):
        return False
    try:
        said = _value(field, values)
    except InvalidFields:
        return False
    return said is not MISSING and canonical(said) == canonical(value)
