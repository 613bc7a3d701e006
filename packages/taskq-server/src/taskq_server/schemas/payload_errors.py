"""Find where a payload does not fit a schema, at a cost bounded by the size of both.

A validator that lists errors lists those of all branches of a union and of the unions inside, so in
a recursive union they double with each level. This walk instead asks whether a part fits, which is
cheap because the validator caches its answers, and descends only into parts that do not fit. A
union is reported as one place, unless `null` or a discriminator leaves one branch.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, unquote

import jsonschema_rs
import orjson
from pydantic import JsonValue

from taskq_server.schemas.payload_formats import FORMATS

_URI = "urn:taskq:payload"
_DEEPEST = 200
_SHOWN = 200
_ANYTHING_FITS = jsonschema_rs.validator_for(True)
_UNIONS = {"anyOf": "any", "oneOf": "exactly one"}
_SUBSCHEMAS = frozenset(
    {
        *("$ref", "$dynamicRef", "$recursiveRef", "$defs", "definitions", "$id", "$anchor"),
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"),
        *("dependencies", "properties", "patternProperties", "additionalProperties"),
        *("propertyNames", "unevaluatedProperties", "items", "prefixItems", "additionalItems"),
        *("contains", "minContains", "maxContains", "unevaluatedItems"),
    }
)
"""Keywords that contain or apply other schemas; all other keywords look at the value itself."""


class Mistake(NamedTuple):
    """A place in a payload, and a sentence about the error there."""

    path: tuple[str | int, ...]
    message: str


class _Part(NamedTuple):
    """A part of a payload, and a pointer to the schema for that part."""

    value: JsonValue
    path: tuple[str | int, ...]
    schema: str

    def under(self, *keywords: str | int) -> "_Part":
        names = (str(one).replace("~", "~0").replace("/", "~1") for one in keywords)
        return self._replace(schema="/".join((self.schema, *names)))

    def member(self, key: str | int, *keywords: str | int) -> "_Part":
        container: Any = self.value
        return _Part(container[key], (*self.path, key), self.under(*keywords).schema)


class Explanation:
    """Find the mistakes in payloads that do not fit.

    Args:
        document: the schema; a validator could be compiled from it.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._draft = {"$schema": document["$schema"]} if "$schema" in document else {}
        self._validators: dict[tuple[str, str], jsonschema_rs.Validator] = {}

    def mistakes(self, payload: JsonValue) -> Iterator[Mistake | None]:
        """Yield each mistake, and None at each point where the caller may pause the walk."""
        return self._walk(_Part(payload, (), ""), 0)

    def _walk(self, part: _Part, depth: int) -> Iterator[Mistake | None]:
        node = self._node(part.schema)
        found = False
        if isinstance(node, dict) and depth < _DEEPEST:
            for message in self._own(part, node):
                found = True
                yield Mistake(part.path, message)
            for inner in self._inside(part, node):
                yield None
                if not self._fits(inner):
                    found = True
                    yield from self._walk(inner, depth + 1)
            for keyword in _UNIONS.keys() & node.keys():
                yield None
                if not self._fits_union(part, keyword, node[keyword]):
                    found = True
                    yield from self._union(part, keyword, node, depth)
        if not found:
            yield Mistake(part.path, f"{_shown(part.value)} does not fit the schema")

    def _own(self, part: _Part, node: dict[str, Any]) -> Iterator[str]:
        """Yield the errors of a value itself, without those of its members."""
        shallow: dict[str, Any] = {key: node[key] for key in node if key not in _SUBSCHEMAS}
        if node.get("additionalProperties") is False:
            shallow["additionalProperties"] = False
            for keyword in ("properties", "patternProperties"):
                shallow[keyword] = dict.fromkeys(node.get(keyword, ()), True)
        mask = "it" if isinstance(part.value, dict | list) else ""
        validator = self._validator(f"own{mask}", part.schema, shallow, mask or None)
        for error in validator.iter_errors(part.value):
            yield error.message

    def _inside(self, part: _Part, node: dict[str, Any]) -> Iterator[_Part]:
        """Yield all parts that have to fit, except the branches of unions."""
        reference = _local(node)
        if reference is not None and self._node(reference) is not None:
            yield part._replace(schema=reference)
        for position in range(len(node.get("allOf", ()))):
            yield part.under("allOf", position)
        if isinstance(part.value, dict):
            yield from self._members(part, part.value, node)
        elif isinstance(part.value, list) and not isinstance(node.get("items"), list):
            first = len(node.get("prefixItems", ()))
            for position in range(len(part.value)):
                if position < first:
                    yield part.member(position, "prefixItems", position)
                elif "items" in node:
                    yield part.member(position, "items")

    def _members(
        self, part: _Part, value: dict[str, JsonValue], node: dict[str, Any]
    ) -> Iterator[_Part]:
        for name in value:
            known = name in node.get("properties", ())
            if known:
                yield part.member(name, "properties", name)
            for pattern in node.get("patternProperties", ()):
                if self._validator("pattern", pattern, {"pattern": pattern}).is_valid(name):
                    known = True
                    yield part.member(name, "patternProperties", pattern)
            if not known and isinstance(node.get("additionalProperties"), dict):
                yield part.member(name, "additionalProperties")

    def _union(
        self, part: _Part, keyword: str, node: dict[str, Any], depth: int
    ) -> Iterator[Mistake | None]:
        branch = _meant(part, keyword, node)
        if branch is not None and not self._fits(branch):
            yield from self._walk(branch, depth + 1)
        else:
            what = f"is not valid under {_UNIONS[keyword]} of the schemas listed in '{keyword}'"
            yield Mistake(part.path, f"{_shown(part.value)} {what}")

    def _fits(self, part: _Part) -> bool:
        return self._validator("fits", part.schema, _reference(part)).is_valid(part.value)

    def _fits_union(self, part: _Part, keyword: str, branches: list[Any]) -> bool:
        all_of_them = [_reference(part.under(keyword, each)) for each in range(len(branches))]
        schema = {keyword: all_of_them}
        return self._validator(keyword, part.schema, schema).is_valid(part.value)

    def _validator(
        self, purpose: str, name: str, schema: dict[str, Any], mask: str | None = None
    ) -> jsonschema_rs.Validator:
        found = self._validators.get((purpose, name))
        if found is None:
            schema = {**schema, **self._draft}
            try:
                found = jsonschema_rs.validator_for(
                    schema,
                    registry=self._registry,
                    mask=mask,
                    formats=FORMATS,
                    validate_formats=True,
                )
            except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
                found = _ANYTHING_FITS  # only the whole schema can resolve this reference
            self._validators[purpose, name] = found
        return found

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        return jsonschema_rs.Registry([(_URI, self._document)], retriever=refuse)

    def _node(self, schema: str) -> Any:
        node: Any = self._document
        for name in schema.split("/")[1:]:
            name = name.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                node = node[int(name)] if name.isdecimal() and int(name) < len(node) else None
            else:
                node = node.get(name) if isinstance(node, dict) else None
        return node


def refuse(uri: str) -> NoReturn:
    """Refuse to fetch a schema, because a schema must contain everything that it refers to."""
    raise LookupError("nothing is ever fetched")


def _meant(part: _Part, keyword: str, node: dict[str, Any]) -> _Part | None:
    """Return the only branch besides null, or the branch that the discriminator selects."""
    branches = [branch if isinstance(branch, dict) else {} for branch in node[keyword]]
    left = [place for place, branch in enumerate(branches) if branch.get("type") != "null"]
    discriminator = node.get("discriminator")
    if isinstance(discriminator, dict) and isinstance(part.value, dict):
        tag = part.value.get(str(discriminator.get("propertyName")))
        mapping = discriminator.get("mapping")
        target = mapping.get(str(tag)) if isinstance(mapping, dict) else None
        left = [place for place in left if branches[place].get("$ref", "") == target]
    return part.under(keyword, left[0]) if len(left) == 1 else None


def _reference(part: _Part) -> dict[str, Any]:
    return {"$ref": f"{_URI}#{quote(part.schema, safe='/~')}"}


def _local(node: dict[str, Any]) -> str | None:
    """Return the pointer in a node's `$ref`, if it points into the same document."""
    reference = node.get("$ref", "")
    return unquote(reference[1:]) if reference == "#" or reference.startswith("#/") else None


def _shown(value: JsonValue) -> str:
    return orjson.dumps(value)[:_SHOWN].decode("utf-8", "ignore")
