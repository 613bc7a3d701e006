"""JSON Schemas in words."""

from collections.abc import Iterator
from typing import Any

from tools.docs.markdown import slug

Schema = dict[str, Any]
LONGEST_PATTERN = 40
"""A longer one says nothing to people; the OpenAPI document has it."""


def kind(schema: Schema) -> str:
    """Return the type of a schema and its bounds."""
    return ", ".join([_type(schema), *_bounds(schema)])


def described(schema: Schema) -> str:
    """Return what a schema says of its meaning, and its default."""
    parts = [schema.get("description", "")]
    if schema.get("default") is not None:
        parts.append(f"default `{schema['default']}`")
    return "; ".join(part for part in parts if part)


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "any JSON" if name == "JsonValue" else f"[{name}](#{slug(name)})"
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    match schema.get("type"):
        case "array":
            return f"list of {kind(schema.get('items', {}))}"
        case "string":
            return {"date-time": "time", "uuid": "id"}.get(schema.get("format", ""), "text")
        case None:
            return "any JSON"
        case other:
            return str(other)


def _bounds(schema: Schema) -> Iterator[str]:
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        low, high = schema.get(least), schema.get(most)
        if low is not None and high is not None:
            yield f"{low:,} to {high:,}{unit}"
        elif high is not None:
            yield f"at most {high:,}{unit}"
        elif low is not None:
            yield f"at least {low:,}{unit}"
    if "exclusiveMinimum" in schema:
        yield f"more than {schema['exclusiveMinimum']:,}"
    if len(schema.get("pattern", "")) in range(1, LONGEST_PATTERN):
        yield f"as `{schema['pattern']}`"
