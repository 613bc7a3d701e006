"""A form says exactly what it is filled from, however a browser sends it back."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskq_server.dashboard import form_values
from taskq_server.dashboard.form_fields import Field, Kind
from taskq_server.dashboard.schema_form import fields_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "decimal": {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]},
        "integer": {"type": "integer"},
        "number": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "flag": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        "kind": {"const": "only"},
        "choice": {"enum": ["a", 1, None, "null"]},
        "day": {"type": "string", "format": "date"},
        "lines": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        "numbers": {"type": "array", "items": {"type": "number"}},
        "any": {},
        "group": {
            "anyOf": [{"$ref": "#/$defs/Group"}, {"type": "null"}],
            "default": None,
        },
    },
    "required": ["text"],
    "$defs": {
        "Group": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "kind": {"const": "group"},
            },
            "required": ["name", "kind"],
        }
    },
}
FIELDS = fields_of(SCHEMA) or ()

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["", " ", "\r", "\r\n", "a\nb", "\0", "1", "null", '"', "</textarea><script>"]
)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | texts | numbers
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
groups = st.fixed_dictionaries(
    {"name": texts, "kind": st.just("group")}, optional={"size": st.none() | numbers}
)
payloads = st.fixed_dictionaries(
    {"text": texts | scalars},
    optional={
        "maybe": st.none() | texts,
        "decimal": numbers | st.decimals(allow_nan=False, allow_infinity=False).map(str),
        "integer": numbers,
        "number": st.none() | numbers,
        "flag": st.none() | st.booleans() | scalars,
        "kind": st.just("only") | scalars,
        "choice": st.sampled_from(["a", 1, None, "null", 1.0, "b"]),
        "day": st.dates().map(str) | texts,
        "lines": st.none() | st.lists(texts | scalars, max_size=4),
        "numbers": st.lists(numbers | scalars, max_size=4),
        "any": anything,
        "group": st.none() | groups | anything,
    },
)


def browser(fields: tuple[Field, ...], values: dict[str, str]) -> dict[str, str]:
    """Return what a browser sends of a form that it was shown, once the server has read it."""
    sent = {}
    for one in fields:
        if one.kind is Kind.GROUP:
            sent |= browser(one.members, values)
        else:
            shown = values.get(one.input, "").replace("\0", "\ufffd")
            sent[one.input] = re.sub("\r\n?", "\n", shown)
        if len(one.empties) > 1:
            sent[one.empty_input] = values.get(one.empty_input, one.empties[0])
    return sent


def back(payload: dict[str, Any]) -> dict[str, Any]:
    filled = form_values.fill(FIELDS, payload)
    assert filled is not None
    sent = browser(filled.fields, filled.values)
    said = form_values.read(form_values.as_sent(FIELDS, sent), sent)
    assert said.errors == ()
    return said.members


def written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@settings(max_examples=400, deadline=None)
@given(payloads)
def test_what_fills_a_form_comes_back(payload: dict[str, Any]) -> None:
    assert written(back(payload)) == written(payload)


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1, -(2**63), 0.1, -0.0, 1e300, 5e-324, 1.0])
def test_numbers_are_exact(value: float) -> None:
    assert written(back({"text": "", "number": value, "numbers": [value], "any": value})) == (
        written({"text": "", "number": value, "numbers": [value], "any": value})
    )


def said(**inputs: str) -> dict[str, Any]:
    """Return what a new form says after these inputs were typed into it."""
    filled = form_values.fill(FIELDS, {})
    assert filled is not None
    typed = {f"/payload/{name.replace('__', '/')}": text for name, text in inputs.items()}
    sent = {**browser(FIELDS, filled.values), **typed}
    return form_values.read(form_values.as_sent(FIELDS, sent), sent).members


def test_a_new_form_says_only_what_is_required() -> None:
    assert said() == {"text": ""}


def test_what_is_typed_is_kept_as_it_is() -> None:
    typed = said(text="  a b ", maybe="null", decimal="0.10", integer=" 9007199254740993 ")
    assert typed == {"text": "  a b ", "maybe": "null", "decimal": "0.10", "integer": 2**53 + 1}
    assert said(lines=" a\n\nb\n", numbers="1\n 2.5 \n") == (
        {"text": "", "lines": [" a", "b"], "numbers": [1, 2.5]}
    )


def test_what_is_no_number_stays_a_text_for_the_validator() -> None:
    for text in ("abc", "+5", "1,000", "0x10", "01", "1_000", "NaN", "٣"):
        assert said(integer=text)["integer"] == text


@pytest.mark.parametrize(
    ("meaning", "value"), [("absent", ...), ("null", None), ("empty", ""), ("other", ...)]
)
def test_empty_means_what_was_chosen(meaning: str, value: Any) -> None:
    sent = {"/payload/maybe": "", "empty:/payload/maybe": meaning}
    assert form_values.read(FIELDS, sent).members.get("maybe", ...) == value


def test_what_was_chosen_for_empty_does_not_count_for_what_is_typed() -> None:
    sent = {"/payload/maybe": "x", "empty:/payload/maybe": "null"}
    assert form_values.read(FIELDS, sent).members["maybe"] == "x"


@pytest.mark.parametrize(
    ("meaning", "value"),
    [("absent", ...), ("null", None), ("empty", {"name": "", "kind": "group"})],
)
def test_a_group_in_which_nothing_was_typed(meaning: str, value: Any) -> None:
    sent = {"/payload/group/kind": '"group"', "empty:/payload/group": meaning}
    assert form_values.read(FIELDS, sent).members.get("group", ...) == value


@pytest.mark.parametrize("meaning", ["absent", "null", "empty"])
def test_what_is_typed_into_a_group_is_never_lost(meaning: str) -> None:
    sent = {"/payload/group/size": "5", "empty:/payload/group": meaning}
    assert form_values.read(FIELDS, sent).members["group"] == {"name": "", "size": 5}


def test_what_is_chosen_inside_a_group_is_never_lost() -> None:
    sent = {"/payload/group/kind": '"group"', "empty:/payload/group/size": "null"}
    expected = {"name": "", "kind": "group", "size": None}
    assert form_values.read(FIELDS, sent).members["group"] == expected


def test_a_member_that_no_field_is_for() -> None:
    assert form_values.fill(FIELDS, {"text": "", "stranger": 1}) is None


@pytest.mark.parametrize(
    ("name", "text", "pointer", "code"),
    [
        ("json:/payload/any", "{", "/payload/any", "invalid-json"),
        ("json:/payload/any", '{"a": 1, "a": 2}', "/payload/any", "invalid-json"),
        ("json:/payload/any", '{"a": [18446744073709551616]}', "/payload/any/a/0",
         "integer-out-of-range"),
        ("json:/payload/any", "[" * 40 + "]" * 40, "/payload/any", "too-deep"),
        ("json:/payload/group", "nul", "/payload/group", "invalid-json"),
        ("/payload/number", "1e400", "/payload/number", "invalid-json"),
        ("/payload/numbers", "1\n9223372036854775808", "/payload/numbers/1",
         "integer-out-of-range"),
        ("/payload/integer", "9" * 5_000, "/payload/integer", "invalid-json"),
        ("/payload/flag", "maybe", "/payload/flag", "invalid-json"),
        ("/payload/group/size", "9" * 30, "/payload/group/size", "integer-out-of-range"),
    ],
)  # fmt: skip
def test_inputs_that_say_nothing(name: str, text: str, pointer: str, code: str) -> None:
    sent = {name: text}
    (error,) = form_values.read(form_values.as_sent(FIELDS, sent), sent).errors
    assert (error.pointer[: len(pointer)], error.code) == (pointer, code)


def test_each_input_has_its_own_name() -> None:
    names = list(form_values.inputs(FIELDS))
    assert len(names) == len(set(names))
