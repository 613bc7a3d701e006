"""From a function's signature to a payload model and back to a call."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from taskq_server import Context, Fatal
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers import signature
from tests.unit.server.worker.attempts import attempt_of


class Range(BaseModel):
    low: int
    high: int = 10


async def plain(a: int, b: str = "x") -> None: ...


async def with_context(a: int, context: Context, b: int = 1) -> None: ...


async def renamed(ctx: Context) -> None: ...


async def optional(context: Context | None = None) -> None: ...


class Shared:
    currency: str


async def typed(context: Context[Shared]) -> None: ...


async def typed_optional(context: Context[Shared] | None = None) -> None: ...


async def annotated(context: Annotated[Context[Any] | None, "remark"] = None) -> None: ...


async def untyped(a, b=2):  # type: ignore[no-untyped-def]
    ...


async def nested(range_: Range, many: list[Range]) -> None: ...


async def bounded(n: Annotated[int, Field(ge=1, le=5)]) -> None: ...


async def open_ended(a: int, context: Context, **rest: Any) -> None: ...


async def keyword_only(*, a: int, b: int = 2) -> None: ...


async def awkward(
    schema: int,
    json: int,
    copy: int,
    model_config: int,
    model_dump: int,
    validate: int,
    _x: int = 1,
) -> None: ...


async def mutable(items: list[int] = []) -> None:  # noqa: B006
    items.append(1)


async def arguments(function: Callable[..., Any], payload: dict[str, Any]) -> dict[str, Any]:
    return signature.read(function, "h").arguments(json.dumps(payload), attempt_of().context)


def schema(function: Callable[..., Any]) -> dict[str, Any]:
    model = signature.read(function, "h").model
    text = json.dumps(model.model_json_schema(by_alias=True))
    read: dict[str, Any] = json.loads(text)
    return read


@pytest.mark.parametrize(
    ("function", "payload", "expected"),
    [
        (plain, {"a": 1}, {"a": 1, "b": "x"}),
        (plain, {"a": 1, "b": "y"}, {"a": 1, "b": "y"}),
        (untyped, {"a": [1, {"x": None}]}, {"a": [1, {"x": None}], "b": 2}),
        (bounded, {"n": 5}, {"n": 5}),
        (keyword_only, {"a": 1}, {"a": 1, "b": 2}),
        (
            nested,
            {"range_": {"low": 1}, "many": [{"low": 2, "high": 3}]},
            {"range_": Range(low=1), "many": [Range(low=2, high=3)]},
        ),
    ],
)
async def test_payload_keys_are_parameters(
    function: Callable[..., Any], payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert await arguments(function, payload) == expected


@pytest.mark.parametrize(
    ("function", "payload", "what"),
    [
        (plain, {}, "a"),
        (plain, {"a": "no number"}, "a"),
        (plain, {"a": 1, "c": 2}, "c"),
        (plain, {"payload_a": 1}, "a"),
        (bounded, {"n": 6}, "n"),
        (nested, {"range_": {}, "many": []}, "range_/low"),
        (with_context, {"a": 1, "context": {}}, "context"),
    ],
)
async def test_a_payload_that_does_not_fit_is_fatal(
    function: Callable[..., Any], payload: dict[str, Any], what: str
) -> None:
    with pytest.raises(Fatal, match=f"does not fit.*{what}"):
        await arguments(function, payload)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (with_context, "context"),
        (renamed, "ctx"),
        *((each, "context") for each in (optional, typed, typed_optional, annotated)),
    ],
)
async def test_the_context_goes_to_the_parameter_that_asks_for_it(
    function: Callable[..., Any], name: str
) -> None:
    read = signature.read(function, "h")
    assert read.context == name
    context = attempt_of().context
    payload = {"a": 1} if function is with_context else {}
    assert read.arguments(json.dumps(payload), context)[name] is context
    assert name not in schema(function)["properties"]


async def test_further_keys_go_to_the_double_star(anyio_backend: str) -> None:
    payload = {"a": 1, "b": [2], "context": "mine", "payload_a": 7}
    found = await arguments(open_ended, payload)
    assert isinstance(found.pop("context"), Context), "the payload cannot replace the context"
    assert found == {"a": 1, "b": [2], "payload_a": 7}


async def test_names_that_pydantic_uses_itself_are_fine() -> None:
    names = ("schema", "json", "copy", "model_config", "model_dump", "validate")
    payload = {name: n for n, name in enumerate(names)}
    assert await arguments(awkward, payload) == {**payload, "_x": 1}
    assert set(schema(awkward)["properties"]) == {*names, "_x"}


async def test_a_mutable_default_is_not_shared() -> None:
    first = await arguments(mutable, {})
    first["items"].append(1)
    assert await arguments(mutable, {}) == {"items": []}


def test_the_schema_speaks_of_payload_keys() -> None:
    assert schema(plain) == {
        "title": "h",
        "type": "object",
        "properties": {
            "a": {"title": "A", "type": "integer"},
            "b": {"title": "B", "type": "string", "default": "x"},
        },
        "required": ["a"],
        "additionalProperties": False,
    }
    assert schema(bounded)["properties"]["n"]["maximum"] == 5
    assert schema(open_ended)["additionalProperties"] is True


async def positional(a: int, /) -> None: ...


async def starred(*values: int) -> None: ...


async def unknown_type(a: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


async def no_json(session: ExitStack) -> None: ...


@pytest.mark.parametrize(
    ("function", "what"),
    [(positional, "a"), (starred, "values"), (unknown_type, "Nowhere"), (no_json, "ExitStack")],
)
def test_what_no_json_object_can_fill_is_refused(function: Callable[..., Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=f"handler h:.*{what}"):
        signature.read(function, "h")
