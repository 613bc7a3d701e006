"""The fields of a form that is made from a JSON Schema."""

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from taskq_server.dashboard.plain_text import visible


class Kind(StrEnum):
    """What is typed into a field, and what is read from it."""

    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    CHOICE = "choice"
    """One of some values; each option is the JSON text of its value."""
    LINES = "lines"
    """A list of texts, one a line."""
    NUMBERS = "numbers"
    """A list of numbers, one a line."""
    GROUP = "group"
    """An object, with a field for each member."""
    JSON = "json"
    """Any value, as JSON text."""


class Empty(StrEnum):
    """What a field means that was left empty."""

    ABSENT = "absent"
    NULL = "null"
    EMPTY = "empty"
    """A text, list or object with nothing in it; a group's object has what its fields say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field.

    Attributes:
        pointer: to its value in the body of a submit; the name of its input.
        name: of the member.
        kind: how it is typed.
        title: for people.
        description: for people; empty if there is none.
        default: what its absence means, as JSON text; None if the schema does not say it.
        rules: keywords of the schema that a person should know, with their values as text.
        choices: of a `CHOICE`, and of each line of `LINES` if there are only these.
        members: of a `GROUP`.
        is_required: whether a payload without it does not fit.
        empties: what it may mean when it is left empty, the usual meaning first.
    """

    pointer: str
    name: str
    kind: Kind
    title: str
    description: str
    default: str | None
    rules: dict[str, str]
    choices: tuple[str, ...]
    members: tuple["Field", ...]
    is_required: bool
    empties: tuple[Empty, ...]

    @property
    def input(self) -> str:
        """The name of its input, which says whether JSON was typed into it."""
        return as_json_input(self.pointer) if self.kind is Kind.JSON else self.pointer

    @property
    def empty_input(self) -> str:
        """The name of the choice of what it means when it is left empty."""
        return f"empty:{self.pointer}"

    @property
    def options(self) -> list[tuple[str, str]]:
        """Its choices, each with its text for people."""
        values = [json.loads(one) for one in self.choices]
        texts = [visible(one) if isinstance(one, str) else json.dumps(one) for one in values]
        are_distinct = len(set(texts)) == len(texts)
        return list(zip(self.choices, texts if are_distinct else self.choices, strict=True))

    @property
    def as_json(self) -> Self:
        """The same field for a value that only JSON text can say."""
        empties = tuple(one for one in self.empties if one is not Empty.EMPTY) or (Empty.ABSENT,)
        return replace(self, kind=Kind.JSON, choices=(), members=(), empties=empties)


def as_json_input(pointer: str) -> str:
    """Return the name of the input for the JSON text of a value."""
    return f"json:{pointer}"
