"""`returns` and `type_`: whatever pydantic reads, and a type that it cannot read is found first."""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, Optional

import httpx
import pytest
from pydantic import AfterValidator, BaseModel, Field, GetCoreSchemaHandler
from typing_extensions import TypedDict

from taskq_client import AsyncTaskqClient, InvalidRequest, TaskqClient, UnexpectedResult
from tests.unit.client.support import wire_task


class Row(TypedDict):
    a: int


class Point(NamedTuple):
    x: int
    y: int


class Colour(Enum):
    RED = "red"


@dataclass
class Count:
    lines: int


class Later(BaseModel, defer_build=True):
    a: int


class Wide(BaseModel):
    a: int = 0


class Narrow(BaseModel):
    a: int = 0


class Plain:
    pass


class Unfinished(BaseModel):
    part: "NowhereDefined"  # type: ignore[name-defined]  # noqa: F821


class Hostile:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> Any:
        raise KeyError("from the type")


def refuse(value: int) -> int:
    raise KeyError(f"from the validator: {value}")


@pytest.fixture
def server() -> Callable[[object], tuple[httpx.MockTransport, list[str]]]:
    """Make a server whose tasks have one result; it lists what was asked."""

    def make(result: object) -> tuple[httpx.MockTransport, list[str]]:
        requests: list[str] = []

        def reply(request: httpx.Request) -> httpx.Response:
            requests.append(request.url.path)
            return httpx.Response(200, json=wire_task(status="succeeded", result=result))

        return httpx.MockTransport(reply), requests

    return make


@pytest.mark.parametrize(
    ("returns", "result", "expected"),
    [
        (int | None, None, None),
        (Optional[int], 3, 3),  # noqa: UP045 - as people still write it
        (int | str, "x", "x"),
        (Annotated[int, Field(gt=1)], 3, 3),
        (Annotated[int, ["not to be hashed"]], 3, 3),
        (Literal["a", 1], "a", "a"),
        (Row, {"a": 1}, {"a": 1}),
        (list[Row], [{"a": 1}], [{"a": 1}]),
        (dict[str, date], {"d": "2026-10-01"}, {"d": date(2026, 10, 1)}),
        (Point, [1, 2], Point(1, 2)),
        (Colour, "red", Colour.RED),
        (Count, {"lines": 3}, Count(3)),
        (Later, {"a": 1}, Later(a=1)),
        (list[Later], [{"a": 1}], [Later(a=1)]),
        (Wide | Narrow, {"a": 1}, Wide(a=1)),
        (Narrow | Wide, {"a": 1}, Narrow(a=1)),
        (type(None), None, None),
        (Any, [1], [1]),
        ("int", 3, 3),
    ],
    ids=lambda _: "type",
)
def test_results_are_read_as_any_type_that_pydantic_knows(
    returns: Any, result: object, expected: object, server: Any
) -> None:
    with TaskqClient(transport=server(result)[0]) as client:
        for _ in range(2):  # the second time, what reads it is at hand
            assert client.run("h", returns=returns) == expected
            assert client.submit("h").result(type_=returns) == expected
            assert client.submit("h", returns=returns).result() == expected


@pytest.mark.parametrize(
    "returns",
    [
        *(Plain, list[Plain], Plain | None, dict[str, Plain], Unfinished, list[Unfinished]),
        *(5, (int, str), [int], print, "NowhereDefined", Hostile, Annotated[Plain, []]),
    ],
    ids=lambda _: "type",
)
@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
def test_a_type_that_cannot_be_read_is_found_before_anything_is_sent(
    kind: Any, returns: Any, server: Any
) -> None:
    transport, requests = server(3)

    async def calls() -> None:
        client = kind(transport=transport)
        handle = client.submit("h")
        if inspect.isawaitable(handle):
            handle = await handle
        for name, call in (
            ("returns", lambda: client.run("h", returns=returns)),
            ("returns", lambda: client.submit("h", returns=returns)),
            ("type_", lambda: handle.result(type_=returns)),
        ):
            with pytest.raises(InvalidRequest, match=f"^{name} is no type that pydantic") as caught:
                await call()
            assert "\n" not in str(caught.value)

    asyncio.run(calls())
    assert requests == ["/tasks"]


@pytest.mark.parametrize("kind", [TaskqClient, AsyncTaskqClient])
def test_the_type_of_a_submit_counts_until_a_result_has_its_own(kind: Any, server: Any) -> None:
    async def calls() -> None:
        client = kind(transport=server({"a": 1})[0])
        handle = client.submit("h", returns=Wide)
        if inspect.isawaitable(handle):
            handle = await handle
        for options, expected in (({}, Wide(a=1)), ({"type_": Narrow}, Narrow(a=1))):
            result = handle.result(**options)
            assert (await result if inspect.isawaitable(result) else result) == expected

    asyncio.run(calls())


def test_what_a_validator_raises_does_not_lose_the_result(server: Any) -> None:
    with TaskqClient(transport=server(3)[0]) as client:
        with pytest.raises(UnexpectedResult, match=r"KeyError.*from the validator: 3") as caught:
            client.run("h", returns=Annotated[int, AfterValidator(refuse)])
        assert caught.value.task.result == 3
