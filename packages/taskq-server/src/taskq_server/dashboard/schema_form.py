"""Make the fields of a form from the JSON Schema of a payload.

Schemas come from workers, and nobody vouches for them. What is no plain field becomes one for JSON
text, nothing is fetched, and a schema with very much in it has no fields at all. A form only helps
to write a payload: whether it fits is for the validator to say.
"""

import json
from collections.abc import Iterator, Mapping
from sys import float_info
from typing import Any, TypeGuard
from urllib.parse import unquote

from taskq_server.dashboard.form_fields import Empty, Field, Kind
from taskq_server.dashboard.plain_text import visible
from taskq_server.domain.pointers import steps

PAYLOAD = "/payload"
"""The pointer to a payload in the body of a submit."""

_MOST_FIELDS = 100
_MOST_CHOICES = 100
_CHOICES_OF_A_FIELD = 10
"""So many choices weigh as much as one field more."""

_LEVELS = 2
"""Levels of groups: the model that a handler takes alone is one, and has some inside."""

_MOST_HOPS = 8
_MOST_BRANCHES = 8
_LONGEST_NAME = 255
_LONGEST_TITLE = 200
_LONGEST_DESCRIPTION = 2_000
_LONGEST_VALUE = 200
_RULES = (
    *("format", "pattern", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)
_KEYWORDS = frozenset(
    {
        *("$ref", "allOf", "anyOf", "oneOf", "type", "const", "enum", "description"),
        *("items", "prefixItems", "properties", "required", *_RULES),
    }
)
_MAY_BE_EMPTY = {None, "binary", "password", "base64", "base64-text", "base64url-text", "base64url"}
"""Formats that an empty text has."""


class _NoForm(Exception):
    """The schema has so much, or such names, that JSON text is easier."""


def fields_of(schema: Mapping[str, Any], within: str = PAYLOAD) -> tuple[Field, ...] | None:
    """Return a field for each member of the objects that fit a schema.

    Args:
        schema: as its worker has published it.
        within: the pointer to such an object in the body of a submit.

    Returns:
        None if JSON text is better: the schema names no members, or more than 100.
    """
    maker = _Maker(schema)
    node = maker.resolved(schema)
    if not isinstance(node.get("properties"), dict):
        return None
    try:
        return tuple(maker.members(node, within, levels=_LEVELS))
    except _NoForm:
        return None


class _Maker:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._left = _MOST_FIELDS

    def members(self, node: Mapping[str, Any], within: str, *, levels: int) -> Iterator[Field]:
        required = node.get("required")
        needed = {one for one in required if isinstance(one, str)} if _is_list(required) else ()
        for name, schema in node["properties"].items():
            self._left -= 1
            if self._left < 0 or len(name) > _LONGEST_NAME or not (name.isprintable() or not name):
                raise _NoForm
            pointer = f"{within}/{name.replace('~', '~0').replace('/', '~1')}"
            yield self._field(name, schema, pointer, name in needed, levels)

    def resolved(self, node: object) -> dict[str, Any]:
        """Return a schema in place of one that only refers to it; `{}` where none is found."""
        found: dict[str, Any] = {}
        for _ in range(_MOST_HOPS):
            if not isinstance(node, Mapping):
                return {}
            found |= {one: node[one] for one in _KEYWORDS & node.keys() if one not in found}
            reference, parts = found.pop("$ref", None), found.get("allOf")
            if isinstance(reference, str):
                node = self._target(reference)
            elif isinstance(parts, list) and len(parts) == 1:
                del found["allOf"]
                node = parts[0]
            else:
                return found
        return {}

    def _target(self, reference: str) -> object:
        """Return what a reference into the same document names."""
        node: object = self._root
        try:
            names = steps(unquote(reference.removeprefix("#")))
        except ValueError:
            return None
        if not reference.startswith("#") or len(names) > _MOST_HOPS:
            return None
        for name in names:
            node = node.get(name) if isinstance(node, Mapping) else None
        return node

    def _field(
        self, name: str, schema: object, pointer: str, is_required: bool, levels: int
    ) -> Field:
        own = schema if isinstance(schema, dict) else {}
        node, is_nullable = self._without_null(self.resolved(own))
        kind, choices = self._kind(node, levels)
        self._left -= len(choices) // _CHOICES_OF_A_FIELD
        if is_nullable and kind is Kind.CHOICE and "null" not in choices:
            choices = (*choices, "null")
        is_group = kind is Kind.GROUP
        return Field(
            pointer=pointer,
            name=name,
            kind=kind,
            title=_text(own.get("title"), _LONGEST_TITLE) or name[:_LONGEST_TITLE],
            description=_text(node.get("description"), _LONGEST_DESCRIPTION),
            default=shown(own["default"]) if "default" in own else None,
            rules=self._rules(node, kind),
            choices=choices,
            members=tuple(self.members(node, pointer, levels=levels - 1)) if is_group else (),
            is_required=is_required,
            empties=_empties(kind, node, is_required, is_nullable),
        )

    def _without_null(self, node: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Return the schema of what is not null, and whether null fits, too."""
        kinds = node.get("type")
        if _is_list(kinds):
            others = [one for one in kinds if one != "null"]
            type_ = others[0] if len(others) == 1 else others
            return {**node, "type": type_}, len(others) < len(kinds)
        for union in ("anyOf", "oneOf"):
            branches = node.get(union)
            if isinstance(branches, list) and len(branches) <= _MOST_BRANCHES:
                each = [self.resolved(branch) for branch in branches]
                others = [branch for branch in each if branch.get("type") != "null"]
                around = {name: value for name, value in node.items() if name != union}
                return {**_only(others), **around}, len(others) < len(each)
        return node, False

    def _kind(self, node: Mapping[str, Any], levels: int) -> tuple[Kind, tuple[str, ...]]:
        values = [node["const"]] if "const" in node else node.get("enum")
        if values is not None:
            return _choice(values)
        match node.get("type"):
            case "boolean":
                return Kind.CHOICE, ("true", "false")
            case "integer" | "number":
                return Kind.NUMBER, ()
            case "string":
                return (Kind.DATE if node.get("format") == "date" else Kind.TEXT), ()
            case "array" if "prefixItems" not in node:
                return self._kind_of_list(node.get("items"))
            case "object" if levels and isinstance(node.get("properties"), dict):
                return Kind.GROUP, ()
            case _:
                return Kind.JSON, ()

    def _kind_of_list(self, items: object) -> tuple[Kind, tuple[str, ...]]:
        item = self.resolved(items)
        if "const" in item or "enum" in item:
            values = item.get("enum", [item.get("const")])
            if not _is_list(values) or not all(isinstance(one, str) for one in values):
                return Kind.JSON, ()
            kind, choices = _choice(values)
            return (Kind.LINES, choices) if kind is not Kind.JSON else (kind, ())
        item, is_nullable = self._without_null(item)
        match item.get("type"):
            case "integer" | "number" if not is_nullable:
                return Kind.NUMBERS, ()
            case "string" if not is_nullable:
                return Kind.LINES, ()
            case _:
                return Kind.JSON, ()

    def _rules(self, node: dict[str, Any], kind: Kind) -> dict[str, str]:
        """Return what a person should know, of a list with what each line has to be."""
        if kind in (Kind.LINES, Kind.NUMBERS):
            node = {**self._without_null(self.resolved(node.get("items")))[0], **node}
        return {rule: _rule(node[rule]) for rule in _RULES if rule in node}


def _only(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the branch of a union that a field is for; of a decimal that is its exact text."""
    if len(branches) == 2 and {one.get("type") for one in branches} == {"number", "string"}:
        branches = [one for one in branches if one.get("format") == "decimal"]
    return branches[0] if len(branches) == 1 else {}


def _choice(values: object) -> tuple[Kind, tuple[str, ...]]:
    if not isinstance(values, list) or not values:
        return Kind.JSON, ()
    if len(values) <= _MOST_CHOICES and all(_is_short(one) for one in values):
        return Kind.CHOICE, tuple(dict.fromkeys(json.dumps(one) for one in values))
    return (Kind.TEXT if all(isinstance(one, str) for one in values) else Kind.JSON), ()


def _empties(
    kind: Kind, node: Mapping[str, Any], is_required: bool, is_nullable: bool
) -> tuple[Empty, ...]:
    """Return what a field may mean when it is left empty, the usual meaning first."""
    if kind is Kind.CHOICE:
        return (Empty.ABSENT,)  # null is one of its choices
    found = [] if is_required else [Empty.ABSENT]
    if is_nullable:
        found.append(Empty.NULL)
    least, of = node.get("minLength"), node.get("format")
    is_free = of in _MAY_BE_EMPTY and "enum" not in node if isinstance(of, str | None) else False
    if kind in (Kind.LINES, Kind.NUMBERS, Kind.GROUP) or (
        kind is Kind.TEXT and is_free and not (isinstance(least, int) and least > 0)
    ):
        found.insert(0 if is_required else len(found), Empty.EMPTY)
    return tuple(found) or (Empty.ABSENT,)


def shown(value: object) -> str:
    """Return the JSON of a value for people, cut where it is long."""
    if isinstance(value, str):
        value = value[: _LONGEST_VALUE + 1]
    text = ""
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        text += piece
        if len(text) > _LONGEST_VALUE:
            return visible(f"{text[:_LONGEST_VALUE]}…")
    return visible(text)


def _rule(value: object) -> str:
    return _text(value, _LONGEST_VALUE) if isinstance(value, str) else shown(value)


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        return ""
    return visible(value if len(value) <= longest else f"{value[:longest]}…")


def _is_short(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_VALUE
    # Python's integers may be larger than any float, and then cannot be turned into one.
    return value is None or (isinstance(value, int | float) and abs(value) <= float_info.max)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
