"""The handlers of the fake, and the payloads that fit them."""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from taskq_client.testing._handlers import DescribedHandlers, Handlers
from taskq_client.testing._json import count
from taskq_client.testing._problems import Problem, field, invalid, pointer
from taskq_client.testing._sizes import MOST_PAYLOAD_VALUES, too_many

MOST_PAYLOAD_BYTES = 262_144
MAX_RETRIES, TIMEOUT_SECONDS = 3, 300.0

_LONGEST_MESSAGE = 300
_SAYS_NOTHING: dict[str, Any] = {"type": "object"}


def _built_in(name: str, description: str, parameter: str, **schema: Any) -> dict[str, Any]:
    document = {
        "additionalProperties": False,
        "properties": {parameter: {"title": parameter.capitalize(), **schema}},
        "required": [parameter],
        "title": name,
        "type": "object",
    }
    return {"description": description, "schema": document}


_BUILT_IN: Mapping[str, dict[str, Any]] = {
    "taskq.echo": _built_in("taskq.echo", "Answer the value.", "value"),
    "taskq.sleep": {
        **_built_in(
            "taskq.sleep",
            "Wait, then answer how many seconds were asked for.",
            "seconds",
            maximum=86_400,
            minimum=0,
            type="number",
        ),
        "timeout_seconds": 86_400.0,
    },
    "taskq.flaky": _built_in(
        "taskq.flaky",
        "Fail the first attempts, then answer the attempt's number.",
        "failures",
        maximum=100,
        minimum=0,
        type="integer",
    ),
}


def published(
    name: str, source: Handlers | None = None, said: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the entry of a handler in `GET /handlers`.

    Args:
        name: The handler.
        source: Where it was loaded from.
        said: What the test says about it.
    """
    return {
        "name": name,
        "description": "",
        "schema": _SAYS_NOTHING,
        "max_retries": MAX_RETRIES,
        "timeout_seconds": TIMEOUT_SECONDS,
        "queue": "default",
        "priority": "normal",
        "tags": [],
        "unique_key": None,
        "workers": 1,
        **(_BUILT_IN.get(name, {}) if source is None else _described(name, source)),
        **said,
    }


def _described(name: str, source: object) -> Mapping[str, Any]:
    return source.describe(name) if isinstance(source, DescribedHandlers) else {}


def unknown(name: str) -> Problem:
    """Return the problem of an unknown handler."""
    detail = f"no worker has published a handler called {name}"
    return invalid("unknown-handler", detail, "/handler", kind="unknown-handler")


def check_payload(handler: str, payload: dict[str, Any], source: Handlers | None) -> None:
    """Raise the problem of the server if a payload does not fit.

    Args:
        handler: The handler.
        payload: The task's.
        source: Where the handler was loaded from, which checks the payload then.
    """
    if count(payload) > MOST_PAYLOAD_VALUES:
        raise too_many("/payload", MOST_PAYLOAD_VALUES)
    mistakes = (
        [(pointer(path), message) for path, message in _mistakes(handler, payload)]
        if source is None
        else source.validate(handler, payload)
    )
    errors = [
        field(f"/payload{where}", "invalid-payload", message[:_LONGEST_MESSAGE])
        for where, message in mistakes
    ]
    if errors:
        detail = f"the payload does not fit the handler {handler}"
        raise Problem("invalid-payload", detail, errors)
    size = len(_written(payload).encode())
    if size > MOST_PAYLOAD_BYTES:
        what = f"the payload has {size} bytes of JSON, {MOST_PAYLOAD_BYTES} are allowed"
        raise invalid("payload-too-large", what, "/payload")


def _mistakes(handler: str, payload: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find them in the words of the server, for schemas of one level."""
    schema = published(handler)["schema"]
    for name in schema.get("required", ()):
        if name not in payload:
            yield (), f'"{name}" is a required property'
    known = schema.get("properties", {})
    more = [f"'{name}'" for name in payload if name not in known]
    if more and schema.get("additionalProperties") is False:
        was = "was" if len(more) == 1 else "were"
        yield (), f"Additional properties are not allowed ({', '.join(more)} {was} unexpected)"
    for name in known.keys() & payload.keys():
        for message in _wrong(known[name], payload[name]):
            yield (name,), message


def _wrong(rule: Mapping[str, Any], value: Any) -> Iterator[str]:
    if "type" not in rule:
        return
    shown = "it" if isinstance(value, dict | list) else _written(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (rule["type"] == "integer" and value != int(value)):
        yield f'{shown} is not of type "{rule["type"]}"'
    if is_number and value < rule["minimum"]:
        yield f"{shown} is less than the minimum of {rule['minimum']}"
    if is_number and value > rule["maximum"]:
        yield f"{shown} is greater than the maximum of {rule['maximum']}"


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
