"""Show what tasks say as plain text: JSON as people read it, and characters that hide or steer.

Templates escape the text as well. A mark that turns the direction of writing would still show
other words than there are, and a control character none.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

MOST_CHARACTERS = 65_536
"""How much of a text one page shows."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_OPENING, _CLOSING = frozenset("{["), frozenset("}]")
_STEP = "  "


class Part(NamedTuple):
    """The beginning of a text, or all of it.

    Attributes:
        text: at most `MOST_CHARACTERS` of it.
        is_whole: whether that is all.
    """

    text: str
    is_whole: bool


def visible(text: str) -> str:
    """Return a text with the codes of characters that cannot be seen in their places."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def beginning(text: str) -> Part:
    """Return as much of a text as a page shows."""
    return Part(visible(text[:MOST_CHARACTERS]), len(text) <= MOST_CHARACTERS)


def readable_json(document: str) -> Part:
    """Return JSON text with a line for each member, as much of it as a page shows.

    Numbers and strings stay as they are written, however large or precise they are, and no more of
    the document is read than is shown.

    Args:
        document: valid JSON.
    """
    written: list[str] = []
    room = MOST_CHARACTERS
    for piece in _laid_out(document):
        written.append(piece[:room])
        room -= len(piece)
        if room < 0:
            break
    return Part(visible("".join(written)), room >= 0)


def _laid_out(document: str) -> Iterator[str]:
    depth, before = 0, ""
    for found in _TOKEN.finditer(document):
        token = found[0]
        if token in _CLOSING:
            depth -= 1
            yield token if before in _OPENING else _line(depth) + token
        else:
            if before in _OPENING:
                yield _line(depth)
            yield token
            if token in _OPENING:
                depth += 1
            elif token == ",":
                yield _line(depth)
            elif token == ":":
                yield " "
        before = token


def _line(depth: int) -> str:
    return "\n" + _STEP * depth
