"""Parameters as people who write pydantic models write them."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field

from taskq_server import Fatal
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers import signature
from taskq_server.handlers.registry import Handler, HandlerMark, _read
from taskq_server.schemas.payload_schema import compile_schema


def handler_of(function: Callable[..., Any]) -> Handler:
    return _read(function, HandlerMark("h", None, None, None, (Exception,)))


def judged(function: Callable[..., Any], payload: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the API takes a payload, and whether the worker does."""
    handler = handler_of(function)
    by_api = compile_schema("h", handler.schema).validator.is_valid(payload)
    try:
        handler.signature.arguments(json.dumps(payload), None)
    except Fatal:
        return by_api, False
    return by_api, True


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    day: date
    key: UUID
    amount: Decimal
    many: tuple[int, ...]
    some: set[int]


class Aliased(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n: int = Field(validation_alias=AliasChoices("a", "b"))


async def bounded(rows: int = Field(10, ge=1)) -> None: ...


async def required(rows: int = Field(ge=1)) -> None: ...


async def both(rows: Annotated[int, Field(ge=1)] = Field(10, le=20)) -> None: ...


async def factory(rows: list[int] = Field(default_factory=list, max_length=2)) -> None: ...  # noqa: B008


async def alias(sender: Annotated[str, Field(alias="from")]) -> None: ...


async def alias_as_default(sender: str = Field("x", alias="from")) -> None: ...


async def read_alias(sender: Annotated[str, Field(validation_alias="from")]) -> None: ...


async def written_alias(sender: Annotated[str, Field(serialization_alias="from")]) -> None: ...


async def choices(n: Annotated[int, Field(validation_alias=AliasChoices("a", "b"))]) -> None: ...


async def choices_or_1(n: int = Field(1, validation_alias=AliasChoices("a", "b"))) -> None: ...


async def deep(n: Annotated[int, Field(validation_alias=AliasPath("a", 0))]) -> None: ...


async def nested(one: Aliased) -> None: ...


async def strict(one: Strict) -> None: ...


async def strict_parameter(day: Annotated[date, Field(strict=True)]) -> None: ...


async def literal(kind: Literal["a", "b"] = "a") -> None: ...


@pytest.mark.parametrize(
    ("function", "payload", "arguments"),
    [
        (bounded, {}, {"rows": 10}),
        (bounded, {"rows": 1}, {"rows": 1}),
        (bounded, {"rows": 0}, None),
        (required, {}, None),
        (required, {"rows": 1}, {"rows": 1}),
        (both, {}, {"rows": 10}),
        (both, {"rows": 0}, None),
        (both, {"rows": 21}, None),
        (factory, {}, {"rows": []}),
        (factory, {"rows": [1, 2, 3]}, None),
        (alias, {"from": "a"}, {"sender": "a"}),
        (alias, {"sender": "a"}, None),
        (alias_as_default, {}, {"sender": "x"}),
        (alias_as_default, {"from": "a"}, {"sender": "a"}),
        (read_alias, {"from": "a"}, {"sender": "a"}),
        (written_alias, {"sender": "a"}, {"sender": "a"}),
        (choices, {"a": 1}, {"n": 1}),
        (choices, {"b": 1}, {"n": 1}),
        (choices, {"n": 1}, None),
        (choices, {}, None),
        (choices, {"b": "x"}, None),
        (choices_or_1, {}, {"n": 1}),
        (choices_or_1, {"b": 2}, {"n": 2}),
        (deep, {"a": [5]}, {"n": 5}),
        (deep, {}, None),
        (nested, {"one": {"b": 1}}, {"one": Aliased(b=1)}),
        (nested, {"one": {}}, None),
        (nested, {"one": {"c": 1}}, None),
        (strict_parameter, {"day": "2020-01-01"}, {"day": date(2020, 1, 1)}),
        (strict_parameter, {"day": "tomorrow"}, None),
        (literal, {}, {"kind": "a"}),
        (literal, {"kind": "c"}, None),
    ],
)
def test_api_and_worker_take_the_same(
    function: Callable[..., Any], payload: dict[str, Any], arguments: dict[str, Any] | None
) -> None:
    assert judged(function, payload) == ((arguments is not None),) * 2
    if arguments is not None:
        found = handler_of(function).signature.arguments(json.dumps(payload), None)
        assert found == arguments


def test_strict_models_read_json() -> None:
    one = {
        "day": "2020-01-01",
        "key": str(UUID(int=4)),
        "amount": "1.5",
        "many": [1, 2],
        "some": [3],
    }
    assert judged(strict, {"one": one}) == (True, True)
    assert judged(strict, {"one": one | {"many": ["1"]}}) == (False, False)


async def open_ended(sender: Annotated[str, Field(alias="from")], **rest: Any) -> None: ...


def test_a_further_key_replaces_no_parameter() -> None:
    takes = signature.read(open_ended, "h")
    text = json.dumps({"from": "a", "sender": "b", "c": 1})
    assert takes.arguments(text, None) == {"sender": "a", "c": 1}


def test_a_payload_deeper_than_pydantic_reads_is_read() -> None:
    async def anything(value: Any) -> None: ...

    text = '{"value": ' + "[" * 300 + "]" * 300 + "}"
    assert signature.read(anything, "h").arguments(text, None) == {
        "value": json.loads("[" * 300 + "]" * 300)
    }


class Called:
    """Send something."""

    limit: int = 3

    async def __call__(self, n: int, m: int = 2) -> int:
        """Add."""
        return n + m


def add(first: int, n: int, m: int = 2) -> int:
    """Add three."""
    return first + n + m


@pytest.mark.parametrize(
    ("function", "description"),
    [(Called(), "Add."), (partial(add, 1), "Add three."), (partial(partial(add, 1), m=3), "Add")],
)
def test_partials_and_objects_are_read_as_what_they_call(
    function: Callable[..., Any], description: str
) -> None:
    handler = handler_of(function)
    assert handler.description.startswith(description)
    assert judged(function, {"n": 1}) == (True, True)
    assert judged(function, {"n": "x"}) == (False, False)
    assert judged(function, {"n": 1, "first": 1}) == (False, False)


def test_an_annotation_that_cannot_be_read_names_the_handler() -> None:
    with pytest.raises(ConfigurationError, match=r"handler h: .*Nowhere"):
        signature.read(partial(unknown), "h")


async def unknown(a: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
