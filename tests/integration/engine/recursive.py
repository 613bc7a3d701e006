"""Handlers whose payloads are recursive unions: without a discriminator, and with one."""

import os
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, Optional, SupportsIndex, TypeVar, Union

from pydantic import AfterValidator, BaseModel, Field
from typing_extensions import TypeAliasType, TypedDict

from taskq_server import Context, handler

T = TypeVar("T")


class Add(BaseModel):
    left: "Expr"
    right: "Expr"
    op: Literal["add"]


class Mul(BaseModel):
    left: "Expr"
    right: "Expr"
    op: Literal["mul"]


class Num(BaseModel):
    n: int


Expr = Add | Mul | Num


@dataclass
class Up:
    inner: "Step"


@dataclass
class Down:
    inner: "Step"


Step = Up | Down | int


class Open(TypedDict):
    inner: "Open | Shut | int"


class Shut(TypedDict):
    inner: "Open | Shut | int"


class Box(BaseModel, Generic[T]):
    inner: Union["Box[T]", "Bag[T]", T]


class Bag(BaseModel, Generic[T]):
    inner: Union["Box[T]", "Bag[T]", T]


class Branch(BaseModel):
    kids: "list[Branch | Fork | int]"


class Fork(BaseModel):
    kids: "dict[str, Branch | Fork | int] | list[Branch | Fork | int]"


Nested = TypeAliasType("Nested", "tuple[Nested] | list[Nested] | int")


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float = 1


class Group(BaseModel):
    kind: Literal["group"]
    first: Optional["Shape"] = None


Shape = Annotated[Circle | Group, Field(discriminator="kind")]


class Link(BaseModel):
    next: "Link | int | None" = None


def _positive(expr: Expr) -> Expr:
    if isinstance(expr, Num) and expr.n < 0:
        raise ValueError("it is negative")
    return expr


for model in (Add, Mul, Branch, Fork, Group, Link):
    model.model_rebuild()


@handler("recursive.expr")
async def expr(e: Expr, context: Context, more: int = 1) -> str:
    """Say what the payload has become."""
    return f"{type(e).__name__} {more} {context.attempt}"


@handler("recursive.positive")
def positive(e: Annotated[Expr, AfterValidator(_positive)]) -> str:
    """Take what the schema cannot say."""
    return type(e).__name__


@handler("recursive.wrapped")
async def wrapped(a: list[dict[str, Step]], b: Open | None = None, **others: object) -> str:
    """Wrap recursive unions into lists and objects."""
    return f"{type(a[0]['x']).__name__} {b is None} {sorted(others)}"


class Unsendable(Num):
    """What cannot be sent to another process."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> str:
        raise TypeError("it stays here")


@handler("recursive.unsendable")
async def unsendable(e: Add | Mul | Unsendable) -> str:
    return type(e).__name__


def _die(expr: Expr) -> Expr:
    os._exit(3)


@handler("recursive.deadly")
async def deadly(e: Annotated[Expr, AfterValidator(_die)]) -> None:
    """End the process that validates."""


@handler("recursive.tagged")
async def tagged(s: Shape, link: Link | None = None) -> int:
    """Take what can be validated in place."""
    return 1
