"""The fields of a form made from a schema: what each keyword becomes, and what becomes JSON."""

import json
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, create_model

from taskq_server.dashboard import form_fields
from taskq_server.dashboard.form_fields import Empty, Kind
from taskq_server.dashboard.schema_form import fields_of
from taskq_server.handlers.published import PublishedSchema


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    """Where it goes."""

    street: str
    zip: str | None = None


class Deep(BaseModel):
    address: Address


class Deeper(BaseModel):
    deep: Deep


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


def field(annotation: Any, default: Any = ...) -> form_fields.Field:
    """Return the field of one parameter that pydantic describes."""
    model = create_model("Model", it=(annotation, default))
    (found,) = fields_of(model.model_json_schema(schema_generator=PublishedSchema)) or ()
    return found


def field_of(schema: Any, **around: Any) -> form_fields.Field:
    """Return the field of one member with a schema."""
    (found,) = fields_of({"type": "object", "properties": {"it": schema}, **around}) or ()
    return found


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (str, Kind.TEXT),
        (int, Kind.NUMBER),
        (float, Kind.NUMBER),
        (Decimal, Kind.TEXT),
        (bool, Kind.CHOICE),
        (Colour, Kind.CHOICE),
        (Literal["a", 1, None], Kind.CHOICE),
        (date, Kind.DATE),
        (datetime, Kind.TEXT),
        (time, Kind.TEXT),
        (UUID, Kind.TEXT),
        (bytes, Kind.TEXT),
        (list[str], Kind.LINES),
        (set[Colour], Kind.LINES),
        (list[UUID], Kind.LINES),
        (list[Decimal], Kind.LINES),
        (list[int], Kind.NUMBERS),
        (list[float], Kind.NUMBERS),
        (Address, Kind.GROUP),
        (Any, Kind.JSON),
        (int | str, Kind.JSON),
        (float | str, Kind.JSON),
        (dict[str, int], Kind.JSON),
        (list[Address], Kind.JSON),
        (list[bool], Kind.JSON),
        (list[str | None], Kind.JSON),
        (list[list[int]], Kind.JSON),
        (tuple[int, str], Kind.JSON),
        (Tree, Kind.GROUP),
    ],
)
def test_kinds(annotation: Any, kind: Kind) -> None:
    assert field(annotation).kind is kind
    assert field(annotation | None, None).kind is kind


@pytest.mark.parametrize(
    ("annotation", "default", "empties"),
    [
        (str, ..., [Empty.EMPTY]),
        (str, "x", [Empty.ABSENT, Empty.EMPTY]),
        (str | None, None, [Empty.ABSENT, Empty.NULL, Empty.EMPTY]),
        (str | None, ..., [Empty.EMPTY, Empty.NULL]),
        (int, ..., [Empty.ABSENT]),
        (int, 1, [Empty.ABSENT]),
        (int | None, ..., [Empty.NULL]),
        (int | None, None, [Empty.ABSENT, Empty.NULL]),
        (UUID, ..., [Empty.ABSENT]),
        (Decimal, ..., [Empty.ABSENT]),
        (bool | None, None, [Empty.ABSENT]),
        (list[str], ..., [Empty.EMPTY]),
        (list[int] | None, None, [Empty.ABSENT, Empty.NULL, Empty.EMPTY]),
        (Address, ..., [Empty.EMPTY]),
        (Address | None, None, [Empty.ABSENT, Empty.NULL, Empty.EMPTY]),
    ],
)
def test_what_a_field_means_that_is_left_empty(
    annotation: Any, default: Any, empties: list[Empty]
) -> None:
    assert list(field(annotation, default).empties) == empties


def test_a_text_with_a_least_length_is_never_the_empty_text() -> None:
    assert field_of({"type": "string", "minLength": 1}).empties == (Empty.ABSENT,)


def test_all_that_a_field_says_for_people() -> None:
    found = field(str, Field("abc", title="Title", description="What for", max_length=5))
    assert (found.pointer, found.name, found.title) == ("/payload/it", "it", "Title")
    assert (found.description, found.default) == ("What for", '"abc"')
    assert (found.rules, found.is_required) == ({"maxLength": "5"}, False)


def test_the_rules_of_a_nullable_field() -> None:
    found = field(int | None, Field(None, ge=1, lt=9))
    assert found.rules == {"minimum": "1", "exclusiveMaximum": "9"}


def test_an_email_address_is_a_text_that_is_not_empty() -> None:
    found = field_of({"type": "string", "format": "email"})
    assert (found.kind, found.empties) == (Kind.TEXT, (Empty.ABSENT,))


@pytest.mark.parametrize("nullable", [{"type": ["string", "null"]}, {"type": ["null", "string"]}])
def test_null_among_types(nullable: dict[str, Any]) -> None:
    assert (field_of(nullable).kind, Empty.NULL in field_of(nullable).empties) == (Kind.TEXT, True)


def test_options_are_told_apart() -> None:
    assert field(bool | None, None).options == [(x, x) for x in ("true", "false", "null")]
    assert field(Colour).options == [('"red"', "red"), ('"blue"', "blue")]
    assert [text for _, text in field_of({"enum": ["1", 1]}).options] == ['"1"', "1"]
    assert field_of({"const": "only"}).choices == ('"only"',)


def test_members_of_a_group() -> None:
    found = field(Address)
    assert [one.pointer for one in found.members] == ["/payload/it/street", "/payload/it/zip"]
    assert [one.is_required for one in found.members] == [True, False]
    assert found.description == "Where it goes."


def test_two_levels_of_groups() -> None:
    (deeper,) = field(Deeper).members
    (deep,) = deeper.members
    assert (deeper.kind, deep.kind) == (Kind.GROUP, Kind.JSON)


def test_what_each_line_of_a_list_has_to_be() -> None:
    item = {"type": "string", "format": "uuid", "maxLength": 40}
    assert field_of({"type": "array", "items": item, "maxItems": 3}).rules == {
        "format": "uuid",
        "maxLength": "40",
        "maxItems": "3",
    }
    found = field(list[Colour])
    assert (found.kind, [text for _, text in found.options]) == (Kind.LINES, ["red", "blue"])
    assert found.as_json.choices == ()


def test_a_reference_in_all_of_as_older_workers_write_it() -> None:
    schema = {"allOf": [{"$ref": "#/$defs/Colour"}], "default": "red"}
    found = field_of(schema, **{"$defs": {"Colour": {"enum": ["red"]}}})
    assert (found.kind, found.choices) == (Kind.CHOICE, ('"red"',))


def test_names_are_pointers() -> None:
    (found,) = fields_of({"type": "object", "properties": {"a/b~c": {}}}) or ()
    assert (found.pointer, found.input) == ("/payload/a~1b~0c", "json:/payload/a~1b~0c")


LOOP = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {f"n{number}": {} for number in range(1_000)}},
        {"properties": {"x" * 300: {}}},
        {"properties": {"line\nbreak": {}}},
        {"properties": {"\ud800": {}}},
        {"$ref": "https://example.com/schema"},
        {"not": {}},
        LOOP,
    ],
)
def test_schemas_without_fields(schema: dict[str, Any]) -> None:
    assert fields_of(schema) is None


@pytest.mark.parametrize(
    "schema",
    [
        True,
        False,
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/nobody"},
        {"$ref": "#/%zz/~9"},
        {"$ref": 5},
        {"$ref": "#/$defs/a"},
        {"$ref": "#" + "/properties" * 50},
        {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]},
        {"anyOf": "x"},
        {"anyOf": []},
        {"anyOf": [{"type": "string"}] * 1_000},
        {"type": "array", "items": [{"type": "string"}]},
        {"type": "array", "items": {"$ref": "#/$defs/a"}},
        {"type": "array", "items": {"enum": "x"}},
        {"type": "object", "properties": 7},
        {"type": 7},
        {"type": []},
        {"enum": []},
        {"enum": "x"},
        {"enum": list(range(101))},
        {"enum": [{"a": 1}]},
        {"enum": ["x" * 201, 1]},
        {"const": [1]},
        {"const": float("inf")},
    ],
)
def test_members_that_become_json(schema: Any) -> None:
    assert field_of(schema, **{"$defs": LOOP["$defs"]}).kind is Kind.JSON


def test_a_huge_enumeration_of_texts_is_typed() -> None:
    assert field_of({"enum": [f"n{number}" for number in range(5_000)]}).kind is Kind.TEXT


def test_long_texts_are_cut_and_halves_of_pairs_replaced() -> None:
    schema = {"title": "t" * 9_999, "description": "\ud800" * 9_999, "default": ["d" * 99] * 9_999}
    found = field_of({**schema, "pattern": "p" * 9_999})
    assert max(map(len, (found.title, found.default or "", found.rules["pattern"]))) == 201
    assert found.description == r"\ud800" * 2_000 + "…"


def test_many_choices_weigh_as_much_as_fields() -> None:
    enum = [f"{number:0200}" for number in range(100)]
    members = {f"m{number}": {"enum": enum} for number in range(20)}
    assert fields_of({"properties": members}) is None
    assert fields_of({"properties": {**members, **{f"m{number}": {} for number in range(12)}}})


def test_a_hostile_schema_costs_little() -> None:
    enum = [f"{number:0200}" for number in range(100)]
    group = {
        "type": "object",
        "properties": {f"m{number}": {"$ref": "#/$defs/e"} for number in range(99)},
    }
    defs = {"e": {"enum": enum}, "g": group}
    schema = {"properties": {f"g{n}": {"$ref": "#/$defs/g"} for n in range(99)}, "$defs": defs}
    assert fields_of(json.loads(json.dumps(schema))) is None
