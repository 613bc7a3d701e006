"""docs/http.md, from docs/openapi.json."""

import json
from collections.abc import Iterator
from typing import Any

from tools.docs.markdown import DOCS, json_block, slug, table
from tools.docs.schemas import described, kind

GROUPS = {
    "tasks": "Tasks",
    "bulk": "Bulk operations",
    "catalog": "Handlers, tags, numbers",
    "queues": "Queues",
    "schedules": "Schedules",
    "keys": "Keys",
    "health": "Health",
}
"""The heading of each tag."""

HEAD = """\
# HTTP API

Everything that taskq does for applications, it does over HTTP and JSON, as this page tells.

A running server has the same at `/docs` and `/redoc`, with the names of its handlers, and at \
`/openapi.json`, from which clients in other languages can be made; the document without handlers \
is [openapi.json](openapi.json). In Python the [client](reference/client.md) has a method for each \
operation.
"""


def page() -> str:
    """Return the page."""
    document: dict[str, Any] = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    parts = [HEAD, _introduction(document), *_operations(document), "## Bodies\n"]
    for name, schema in document["components"]["schemas"].items():
        if "properties" in schema:
            parts.extend(_schema(name, schema))
    return "\n".join(parts)


def heading(operation: dict[str, Any]) -> str:
    """Return the heading of an operation."""
    summary: str = operation["summary"]
    return summary


def _introduction(document: dict[str, Any]) -> str:
    _, _, rules = document["info"]["description"].partition("\n\n")
    return f"## Rules for all requests\n\n{rules}\n"


def _operations(document: dict[str, Any]) -> Iterator[str]:
    headers = document["components"]["headers"]
    for group in document["tags"]:
        tag = group["name"]
        yield f"## {GROUPS[tag]}\n\n{group['description']}\n"
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if operation["tags"] == [tag]:
                    yield f"### {heading(operation)}\n\n`{method.upper()} {path}`\n"
                    yield operation["description"] + "\n"
                    yield from _request(operation)
                    yield from _answers(operation, headers)


def _request(operation: dict[str, Any]) -> Iterator[str]:
    parameters = operation.get("parameters", ())
    if parameters:
        rows = [
            (
                f"`{one['name']}`" + (" (required)" if one["required"] else ""),
                one["in"],
                kind(one["schema"]),
                one.get("description", ""),
            )
            for one in parameters
        ]
        yield table(("Parameter", "In", "Type", "Meaning"), rows)
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        first = next(iter(content.values()))
        types = " or ".join(f"`{each}`" for each in content)
        yield f"Body: {kind(first['schema'])}, as {types}.\n"
        yield from _examples(first)


def _answers(operation: dict[str, Any], headers: dict[str, Any]) -> Iterator[str]:
    rows = []
    for status, answer in operation["responses"].items():
        names = [name for name in answer.get("headers", ()) if name != "X-Request-Id"]
        content = answer.get("content", {})
        rows.append(
            (
                status,
                _problems(content) or answer["description"],
                ", ".join(kind(each["schema"]) for each in content.values() if "schema" in each),
                ", ".join(f"`{name}`: {headers[name]['description']}" for name in names),
            )
        )
    yield table(("Answer", "When", "Body", "Headers"), rows)
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            for content in answer.get("content", {}).values():
                if any(True for _ in _examples(content)):
                    yield f"An answer with {status}:\n"
                yield from _examples(content)


def _problems(content: dict[str, Any]) -> str:
    codes = content.get("application/problem+json", {}).get("examples", ())
    return ", ".join(f"[{code}](problems/{code}.md)" for code in codes)


def _examples(content: dict[str, Any]) -> Iterator[str]:
    for example in content.get("examples", {}).values():
        value = example["value"]
        if isinstance(value, str):
            yield f"```text\n{value.strip()}\n```\n"
        else:
            yield json_block(value)


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield schema["description"] + "\n"
    required = schema.get("required", ())
    rows = [
        (f"`{key}`" + (" (required)" if key in required else ""), kind(one), described(one))
        for key, one in schema["properties"].items()
    ]
    yield table(("Field", "Type", "Meaning"), rows)


def anchor(operation: dict[str, Any]) -> str:
    """Return the link from another page to an operation."""
    return f"http.md#{slug(heading(operation))}"
