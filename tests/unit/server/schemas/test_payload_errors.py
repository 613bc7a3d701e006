"""Where a payload does not fit: the place, and at a cost that schema and payload bound."""

import json
from itertools import islice
from time import process_time
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, JsonValue

from taskq_server.schemas.payload_schema import PayloadSchema, compile_schema


class Add(BaseModel):
    left: "Expr"
    right: "Expr"
    op: Literal["add"]


class Mul(BaseModel):
    left: "Expr"
    right: "Expr"
    op: Literal["mul"]


class Num(BaseModel):
    n: int


Expr = Add | Mul | Num


class Dog(BaseModel):
    child: "Animal | None" = None
    name: str = ""


class Cat(BaseModel):
    child: "Animal | None" = None
    lives: int = 9


Animal = Dog | Cat | int


class Branch(BaseModel):
    kids: list["Tree"]


class Fork(BaseModel):
    kids: list["Tree"]
    many: dict[str, "Tree"] = {}


Tree = Branch | Fork | str


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Group(BaseModel):
    kind: Literal["group", "layer"]
    shapes: list["Shape"]


Shape = Annotated[Circle | Group, Field(discriminator="kind")]


class Everything(BaseModel):
    expr: Expr | None = None
    animal: Animal | None = None
    tree: Tree | None = None
    shape: Shape | None = None
    plain: int | str = 0
    maybe: Num | None = None
    pair: tuple[int, str] | None = None
    by_name: dict[str, Num] = {}
    colour: Literal["red", "blue"] = "red"


for model in (Add, Mul, Dog, Cat, Branch, Fork, Group, Everything):
    model.model_rebuild()

SCHEMA = compile_schema("h", json.dumps(Everything.model_json_schema()))


def places(schema: PayloadSchema, payload: Any) -> list[str]:
    assert not schema.validator.is_valid(payload)
    found = [one for one in schema.explanation.mistakes(payload) if one is not None]
    assert all(one.message for one in found)
    return sorted({"/".join(map(str, one.path)) for one in found})


def deep(value: JsonValue, wrap: Any, levels: int) -> Any:
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"plain": []}, ["plain"]),
        ({"maybe": {}}, ["maybe"]),
        ({"maybe": {"n": "x"}}, ["maybe/n"]),
        ({"expr": {"n": "x"}}, ["expr"]),
        ({"expr": {"op": "add", "left": {"n": 1}}}, ["expr"]),
        ({"expr": {"op": "div"}}, ["expr"]),
        ({"expr": 1}, ["expr"]),
        ({"shape": {"kind": "circle"}}, ["shape"]),
        ({"shape": {"kind": "circle", "radius": "1"}}, ["shape/radius"]),
        (
            {"shape": {"kind": "layer", "shapes": [{"kind": "circle", "radius": []}]}},
            ["shape/shapes/0/radius"],
        ),
        ({"shape": {"kind": "square"}}, ["shape"]),
        ({"shape": {}}, ["shape"]),
        ({"animal": {"lives": "x", "name": 1}}, ["animal"]),
        ({"by_name": {"a": {"n": 1}, "b": {"n": 1.5}, "c/d": {}}}, ["by_name/b/n", "by_name/c/d"]),
        ({"pair": [1, 2]}, ["pair/1"]),
        ({"pair": [1]}, ["pair"]),
        ({"colour": "green", "plain": None}, ["colour", "plain"]),
    ],
)
def test_the_place(payload: Any, expected: list[str]) -> None:
    assert places(SCHEMA, payload) == expected


WRAPPED: dict[str, tuple[str, JsonValue, Any]] = {
    "left": ("expr", {"n": "bad"}, lambda e: {"left": e, "right": {"n": 1}, "op": "mul"}),
    "no op": ("expr", {"n": "bad"}, lambda e: {"left": {"n": 1}, "right": e}),
    "shared": ("animal", "bad", lambda e: {"child": e}),
    "lists": ("tree", 1, lambda e: {"kids": [e]}),
    "mixed": ("tree", 1, lambda e: {"kids": ["x", e], "many": {"a": "x"}}),
    "tagged": ("shape", {"kind": "?"}, lambda e: {"kind": "group", "shapes": [e]}),
}


@pytest.mark.parametrize("levels", [8, 16, 28])
@pytest.mark.parametrize("name", WRAPPED)
def test_a_recursive_union_costs_little(name: str, levels: int) -> None:
    field, leaf, wrap = WRAPPED[name]
    payload = {field: deep(leaf, wrap, levels)}
    began = process_time()
    found = places(SCHEMA, payload)
    assert process_time() - began < 0.3
    assert found
    assert all(place.split("/")[0] == field for place in found)


def test_a_broad_union_costs_little_as_well() -> None:
    """Both sides are recursive: 4,095 nodes, of which the last one is bad."""
    expr: Any = {"n": 1}
    for _ in range(11):
        expr = {"left": json.loads(json.dumps(expr)), "right": expr, "op": "add"}
    node = expr
    while "right" in node:
        node = node["right"]
    node["n"] = None
    began = process_time()
    assert places(SCHEMA, {"expr": expr}) == ["expr"]
    assert process_time() - began < 1


def test_more_than_one_fits() -> None:
    schema = compile_schema("h", '{"properties": {"a": {"oneOf": [{}, {"type": "integer"}]}}}')
    (mistake,) = [one for one in schema.explanation.mistakes({"a": 1}) if one is not None]
    assert mistake.path == ("a",)
    assert "exactly one" in mistake.message


PLAIN = {
    "type": "object",
    "$defs": {"a b/c~d%": {"type": "integer", "minimum": 3}},
    "properties": {
        "ref": {"$ref": "#/$defs/a%20b~1c~0d%25"},
        "list": {"type": "array", "items": {"type": "string", "maxLength": 2}, "maxItems": 3},
        "object": {"type": "object", "required": ["x", "y"], "minProperties": 2},
        "closed": {"additionalProperties": False, "patternProperties": {"^x": {"type": "null"}}},
        "open": {"additionalProperties": {"type": "boolean"}},
        "names": {"propertyNames": {"pattern": "^[a-z]+$"}},
        "once": {"uniqueItems": True},
        "const": {"const": {"a": [1]}},
        "all": {"allOf": [{"minimum": 3}, {"multipleOf": 2}]},
        "not": {"not": {"type": "integer"}},
        "if": {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
        "never": False,
        "pattern": {"pattern": "^a$", "minLength": 3},
    },
}


@pytest.mark.parametrize(
    "payload",
    [
        *({"ref": 1}, {"ref": "x"}, {"list": ["a", 1, "abc", "d"]}, {"list": {}}, {"object": {}}),
        *(
            {"object": {"x": 1, "y": 2}, "closed": {"x1": 1, "z": 2, "y": 3}},
            {"all": 1},
            {"never": 0},
        ),
        *({"open": {"a": True, "b": 1, "c/~": None}}, {"names": {"A": 1, "b": 2}}, {"not": 1}),
        *(
            {"once": [1, {"a": 1}, {"a": 1}]},
            {"const": {"a": [2]}},
            {"if": {"a": 1}},
            {"pattern": "b"},
        ),
        *([], {"ref": 2, "list": [None], "const": 1}),
    ],
)
def test_without_unions_the_places_are_those_of_the_validator(payload: Any) -> None:
    schema = compile_schema("h", json.dumps(PLAIN))
    expected = {"/".join(map(str, e.instance_path)) for e in schema.validator.iter_errors(payload)}
    assert set(places(schema, payload)) == expected


def test_references_that_lead_nowhere_end() -> None:
    text = '{"properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}, {"type": "null"}]}}}'
    schema = compile_schema("h", text)
    assert list(schema.explanation.mistakes({"a": 1}))


R = {"$ref": "#/$defs/a"}
BOTH = [{"properties": {"c": R}}, {"properties": {"c": R}}]
DOUBLING: dict[str, dict[str, Any]] = {
    "allOf": {"allOf": BOTH, "type": ["object", "integer"]},
    "null and allOf": {"anyOf": [{"type": "null"}, {"allOf": BOTH, "minProperties": 1}, R]},
    "oneOf": {"oneOf": [{"type": "integer"}, *BOTH]},
    "if": {"if": BOTH[0], "then": BOTH[0], "else": BOTH[1], "type": ["object", "integer"]},
    "patterns": {"properties": {"c": R}, "patternProperties": {"c": R, "^c": R}, "type": "object"},
    "cycle": {"allOf": [R, {"type": "integer"}]},
    "contains": {"contains": R, "properties": {"c": R}, "type": "array"},
}


@pytest.mark.parametrize("name", DOUBLING)
def test_a_schema_that_doubles_at_each_level_costs_little(name: str) -> None:
    schema = compile_schema("h", json.dumps({"$defs": {"a": DOUBLING[name]}, **R}))
    payload = deep("bad", lambda value: {"c": value}, 30)
    began = process_time()
    if not schema.validator.is_valid(payload):
        mistakes = filter(None, schema.explanation.mistakes(payload))
        assert list(islice(mistakes, 20))
    assert process_time() - began < 1


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"items": {"type": "string"}}, ["a"] * 49_999 + [0]),
        ({"items": {"pattern": r"^(?:(?=a)(a+)+\1)+$"}}, ["a" * 40 + "!"] * 1_000),
        ({"uniqueItems": True}, [{"a": n} for n in range(16_000)] + [{"a": 1}]),
        ({"additionalProperties": False}, {f"x{n}": n for n in range(25_000)}),
        ({"patternProperties": {f"^a+{n}$": {"type": "null"} for n in range(50)}}, {"aa49": 1}),
        ({"type": "string", "const": [], "enum": [[]]}, [[0]] * 25_000),
        ({"items": {"anyOf": [{"const": n} for n in range(50)]}}, [99] * 50_000),
    ],
)
def test_there_is_room_between_pieces(schema: Any, payload: Any) -> None:
    prepared = compile_schema("h", json.dumps({"properties": {"v": schema}}))
    assert not prepared.validator.is_valid({"v": payload})
    pieces, began = [], process_time()
    mistakes = []
    for mistake in prepared.explanation.mistakes({"v": payload}):
        pieces.append(process_time() - began)
        mistakes += [] if mistake is None else [mistake]
        if len(mistakes) == 20:
            break
        began = process_time()
    assert mistakes
    assert max(pieces) < 1


@pytest.mark.parametrize(
    ("schema", "payload", "expected"),
    [
        ({"$id": "http://a.example/b", "properties": {"v": {"type": "null"}}}, {"v": 1}, ["v"]),
        (
            {
                "$id": "http://a.example/b",
                "$defs": {"q": {"type": "null"}},
                "properties": {"v": {"$ref": "b#/$defs/q"}},
            },
            {"v": 1},
            [""],
        ),
        ({"$defs": {"q": {"$anchor": "Q", "not": {}}}, "items": {"$ref": "#Q"}}, [1], ["0"]),
        ({"$dynamicAnchor": "t", "properties": {"v": {"$dynamicRef": "#t"}}, "not": R}, 1, [""]),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [False]}, [1], [""]),
        (
            {"oneOf": [{"$ref": "#/$defs/a"}], "discriminator": {"propertyName": 3, "mapping": []}},
            {"a": 1},
            [""],
        ),
        ({"properties": {"v": {"oneOf": [True, False, True]}}}, {"v": 1}, ["v"]),
    ],
)
def test_schemas_that_pydantic_does_not_write(
    schema: dict[str, Any], payload: Any, expected: list[str]
) -> None:
    document = {**schema, "$defs": {"a": {"required": ["b"]}, **schema.get("$defs", {})}}
    assert places(compile_schema("h", json.dumps(document)), payload) == expected
