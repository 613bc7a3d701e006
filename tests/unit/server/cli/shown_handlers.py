"""Handlers that `taskq-server handlers` shows in tests."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Annotated

from pydantic import Field

from taskq_server import Backoff, Context, handler

print("a module that prints when it is imported")


class Format(StrEnum):
    PDF = "pdf"
    HTML = "html"


@dataclass
class Page:
    number: int


@handler("reports.build", max_retries=5, timeout=90, backoff=Backoff(base=2, cap=60),
         retry_on=(OSError, TimeoutError), unique_key="/month")  # fmt: skip
async def build(
    context: Context,
    month: str,
    pages: list[Page] | None = None,
    format: Format = Format.PDF,
    copies: Annotated[int, Field(ge=1)] = 1,
    words: str = Field("", alias="text"),
) -> None:
    """Build the report of a month, which takes a minute or two for large customers.

    Nobody reads this paragraph in a list.
    """


@handler("reports.nothing")
def nothing() -> None: ...


@handler("reports.open")
def takes_all(**values: int) -> None:
    """Take whatever comes."""


def _twice(number: int, factor: int) -> int:
    """Multiply."""
    return factor * number


twice = handler("reports.twice")(partial(_twice, factor=2))
