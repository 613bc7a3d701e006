"""What the JSON Schema of a handler's payload says of its fields."""

import json
from collections.abc import Iterator
from typing import Any

from taskq_client.models import Handler


def parameters_of(handler: Handler) -> Iterator[str]:
    """Describe each field in a few words."""
    required = _schema(handler).get("required", ())
    for name, described in _properties(handler).items():
        yield f"{name}: {_kind(described)}{'' if name in required else ' (optional)'}"


def field_names(handler: Handler) -> list[str]:
    """Name the fields."""
    return list(_properties(handler))


def assignments(handler: Handler) -> Iterator[tuple[str, str]]:
    """Begin the `key=text` or `key:=json` of each field, and describe the field.

    A field that has few values is written with each of them.
    """
    required = _schema(handler).get("required", ())
    for name, described in _properties(handler).items():
        kind = _kind(described)
        help_ = kind if name in required else f"{kind}, optional"
        for value in _values(described):
            is_text = isinstance(value, str)
            yield f"{name}={value}" if is_text else f"{name}:={json.dumps(value)}", help_
        if not _values(described):
            yield f"{name}=" if "string" in kind else f"{name}:=", help_


def _schema(handler: Handler) -> dict[str, Any]:
    return handler.payload_schema or {}


def _properties(handler: Handler) -> dict[str, dict[str, Any]]:
    found = _schema(handler).get("properties", {})
    return {name: each if isinstance(each, dict) else {} for name, each in found.items()}


def _values(described: dict[str, Any]) -> list[Any]:
    if described.get("type") == "boolean":
        return [True, False]
    values = described.get("enum", [described["const"]] if "const" in described else [])
    return values if isinstance(values, list) else []


def _kind(described: dict[str, Any]) -> str:
    options = described.get("anyOf")
    if isinstance(options, list):
        return " or ".join(_kind(one) for one in options if isinstance(one, dict))
    kind = described.get("type", "any")
    return kind if isinstance(kind, str) else " or ".join(map(str, kind))
