"""Which models pydantic may need for ever to validate."""

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Discriminator, Field, JsonValue, Tag

from taskq_server.handlers import signature
from tests.integration.engine import recursive
from tests.integration.engine.recursive import (
    Add,
    Box,
    Branch,
    Expr,
    Group,
    Link,
    Nested,
    Num,
    Shape,
    Step,
)
from tests.integration.engine.recursive import Open as TypedOpen


class First(BaseModel):
    inner: "Far"


class Second(BaseModel):
    between: "dict[str, Third]"


class Third(BaseModel):
    inner: "Far | None"


Far = First | Second | int
Called = Annotated[
    Annotated["CalledA", Tag("a")] | Annotated["CalledB", Tag("b")], Discriminator(lambda _: "a")
]


class CalledA(BaseModel):
    inner: "Called | None" = None


class CalledB(BaseModel):
    inner: "Called | None" = None


class Tree(BaseModel):
    left: "Tree | None" = None
    right: "Tree | None" = None
    kids: "list[Tree]" = []
    named: "dict[str, Tree | int]" = {}


class Plain(BaseModel):
    anything: Any = {"type": "union", "choices": []}
    several: int | str | list[int] | dict[str, "Num"] = 0


for model in (First, Second, Third, CalledA, CalledB, Tree, Plain):
    model.model_rebuild()


def doubles(annotation: Any) -> bool:
    async def function(given: Any) -> None: ...

    function.__annotations__["given"] = annotation
    return signature.read(function, "h").doubles


@pytest.mark.parametrize(
    "annotation",
    [
        *(Expr, Add, Step, TypedOpen, Box[int], Branch, Nested, First, Second, Third),
        *(list[Expr], dict[str, list[Step]], Expr | None, tuple[int, Expr], list[Box[str]]),
        Annotated[Expr, AfterValidator(lambda value: value)],
        Annotated[Add | Num, Field(union_mode="left_to_right")],
    ],
)
def test_a_union_that_two_of_its_branches_contain(annotation: Any) -> None:
    assert doubles(annotation)


@pytest.mark.parametrize(
    "annotation",
    [Shape, Group, Link, Tree, CalledA, Plain, JsonValue, Any, int, dict[str, Num | str]],
)
def test_what_is_validated_in_place(annotation: Any) -> None:
    assert not doubles(annotation)


def test_the_handlers_of_the_other_tests() -> None:
    found = {
        name: signature.read(function, name).doubles
        for name, function in vars(recursive).items()
        if hasattr(function, "__taskq__")
    }
    assert {name for name, it in found.items() if not it} == {"tagged"}
