"""Find, in pydantic's core schema, models whose validation can take exponential time.

Pydantic tries all branches of a union without a discriminator. If two branches lead back to the
union, the cost of a payload doubles with each level.
"""

from collections.abc import Iterator
from typing import Any

_NO_SCHEMAS = {"metadata", "serialization", "default", "config", "expected", "definitions"}


def doubles(schema: Any) -> bool:
    """Return whether two branches of a union lead back to it.

    Args:
        schema: the core schema of a model.
    """
    definitions = {one["ref"]: one for one in schema.get("definitions", ())}
    everything = _reachable([schema], definitions)
    unions = [node for node in everything.values() if node.get("type") == "union"]
    return any(_leads_back_twice(union, definitions) for union in unions)


def _leads_back_twice(union: dict[str, Any], definitions: dict[str, Any]) -> bool:
    back = (id(union) in _reachable([branch], definitions) for branch in union["choices"])
    return sum(back) > 1


def _reachable(starts: list[Any], definitions: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return all objects of a schema that are reachable from `starts`, by identity."""
    found: dict[int, dict[str, Any]] = {}
    waiting = list(starts)
    while waiting:
        node = waiting.pop()
        if isinstance(node, list | tuple):
            waiting += node
        elif isinstance(node, dict) and id(node) not in found:
            found[id(node)] = node
            waiting += _inside(node, definitions)
    return found


def _inside(node: dict[str, Any], definitions: dict[str, Any]) -> Iterator[Any]:
    if node.get("type") == "definition-ref":
        yield definitions.get(node["schema_ref"])
    for key, value in node.items():
        if key not in _NO_SCHEMAS:
            yield value
