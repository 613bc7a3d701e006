"""Read a JSON text value by value, because parsing it whole would take too long.

One call of a parser cannot be interrupted. So the parser gets only as much of a text as can contain
the allowed number of values; a longer value fails at the cut.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from json import JSONDecodeError

from pydantic import JsonValue

from taskq_server.api.body.strict_json import DECODER
from taskq_server.core.json_values import count_part

_BLOCK = 16_384
_LENGTHS = (_BLOCK, 16 * _BLOCK)
"""Lengths to try first, because nearly all values are short; the rest is not even counted."""

_MOST_FIELDS = 100
_LONGEST_WORD = len("-Infinity")
_SPACES = re.compile(r"[ \t\n\r]*")


class Cut(Exception):
    """A value has too many values inside, or is too long."""

    def __init__(self, *, too_long: bool) -> None:
        super().__init__()
        self.too_long = too_long


class _Unfinished(Exception):
    """The value continues behind the cut."""


class LargeText:
    """A text, and the position up to which it has been read.

    The methods raise `Cut`, or the error of Python's own parser for the whole text.

    Args:
        text: the text to read.
        longest: most characters of one value.
    """

    def __init__(self, text: str, longest: int) -> None:
        self._text = text
        self._longest = longest
        self._at = 0

    @property
    def position(self) -> int:
        """The position of the next character to read."""
        return self._at

    def peek(self) -> str:
        """Return the next character that is not a space; an empty text at the end."""
        spaces = _SPACES.match(self._text, self._at)
        self._at = self._at if spaces is None else spaces.end()
        return self._text[self._at : self._at + 1]

    def end(self) -> None:
        """Check that the text ends here."""
        if self.peek():
            raise self._error("Extra data")

    def value(self, most: int) -> JsonValue:
        """Read the next value, which may have about `most` values inside."""
        self.peek()
        for length in (*_LENGTHS, self._longest):
            end = self._cut(most, length)
            with suppress(_Unfinished):
                return self._value_before(end)
            if end < self._at + length:
                raise Cut(too_long=False)
        raise Cut(too_long=True)

    def _cut(self, most: int, length: int) -> int:
        """Return an end for the parser, before which there are not too many values."""
        at, values, inside = self._at, 0, False
        end = min(at + length, len(self._text))
        if length <= most:
            return end  # there are no more values than characters
        while at < end and values <= most:
            block = self._text[at : at + _BLOCK]
            if (len(block) - len(block.rstrip("\\"))) % 2:
                block = self._text[at : at + _BLOCK + 1]
            more, inside = count_part(block, inside)
            values += more
            at += len(block)
        return min(at, end)

    def _value_before(self, end: int) -> JsonValue:
        start, whole = self._at, end >= len(self._text)
        text, offset = (self._text, 0) if whole else (self._text[start:end], start)
        value: JsonValue
        try:
            value, stop = DECODER.raw_decode(text, start - offset)
        except JSONDecodeError as error:
            at = error.pos + offset
            at_the_cut = at >= end - _LONGEST_WORD or error.msg.startswith("Unterminated")
            if whole or not at_the_cut:
                raise JSONDecodeError(error.msg, self._text, at) from None
        else:
            # A number at the cut may be incomplete, because a part of a number is a number, too.
            if whole or stop + offset < end or isinstance(value, str | list | dict):
                self._at = stop + offset
                return value
        raise _Unfinished

    def members(self) -> Iterator[str]:
        """Read an object: yield each key; the caller reads the value before the next key."""
        for _ in self._separated("}"):
            if self.peek() != '"':
                raise self._error("Expecting property name enclosed in double quotes")
            key = str(self.value(1))
            self._take(":")
            yield key

    def elements(self) -> Iterator[None]:
        """Read an array: yield at each element; the caller reads it before the next one."""
        return self._separated("]")

    def member_at_fault(self, start: int, most: int) -> list[str]:
        """Return the key of the first value to be cut in the object at `start`.

        The list is empty for an object with very many members, because the object is at fault then.
        """
        self._at = start
        key: str | None = None
        try:
            if self.peek() == "{":
                for name in islice(self.members(), _MOST_FIELDS):
                    key = name
                    self.value(most)
        except (Cut, JSONDecodeError):
            return [] if key is None else [key]
        return []

    def _separated(self, last: str) -> Iterator[None]:
        self._at += 1
        if self.peek() != last:
            yield
            while self.peek() != last:
                self._take(",")
                yield
        self._at += 1

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise self._error(f"Expecting '{character}' delimiter")
        self._at += 1

    def _error(self, message: str) -> JSONDecodeError:
        return JSONDecodeError(message, self._text, self._at)
