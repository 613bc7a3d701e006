"""Parse strict JSON, without anything that two parsers could understand differently.

Refused as syntax (400): duplicate keys, NaN and Infinity, numbers that a double cannot hold, a byte
order mark, anything but UTF-8. Refused as values (422): lone surrogates, nesting over 32 levels,
integers beyond 64 bits. orjson is faster, but keeps the last of two equal keys, and makes a float
of 2**64.
"""

import json
from collections import Counter
from collections.abc import Sequence
from math import isinf

from pydantic import JsonValue

from taskq_server.api.errors import InvalidJson
from taskq_server.core.json_values import may_exceed
from taskq_server.domain import limits
from taskq_server.domain.errors import FieldError, InvalidFields, Rejected

MAX_DEPTH = limits.DEPTH
"""Most levels of nested arrays and objects; the task itself is the first level."""

UNREADABLE = (ValueError, RecursionError)
"""The errors that Python raises for a text that is not JSON."""

_LEAST, _MOST = -(2**63), 2**63 - 1
QUICK_VALUES = 4_096
"""Most values of a body that is parsed and checked within a few milliseconds."""

_QUICK_BYTES = 524_288
_SHOWN = 64


def is_large(raw: bytes, values: int = QUICK_VALUES) -> bool:
    """Return whether `raw` may have more than `values` values, or is very long."""
    return len(raw) > _QUICK_BYTES or may_exceed(raw, values)


def parse(raw: bytes, envelope: int = 0) -> JsonValue:
    """Parse a body.

    Args:
        raw: the bytes of the body.
        envelope: levels around the tasks that do not count towards `MAX_DEPTH`.

    Raises:
        InvalidJson: the body is not strict JSON.
        InvalidFields: a value in the body breaks a rule; a pointer names the value.
    """
    try:
        document: JsonValue = DECODER.decode(raw.decode("utf-8"))
    except UNREADABLE as error:
        raise refusal(error) from error
    check(document, MAX_DEPTH + envelope)
    return document


def refusal(error: ValueError | RecursionError) -> Rejected:
    """Return the error of `parse` for an error of Python's decoder or parser."""
    if isinstance(error, UnicodeDecodeError):
        return InvalidJson(f"byte {error.start} is not UTF-8")
    if isinstance(error, json.JSONDecodeError):
        return InvalidJson(f"{error.msg}: line {error.lineno}, column {error.colno}")
    if isinstance(error, RecursionError):
        return _as_fields(_too_deep())
    return InvalidJson("an integer has too many digits")


def check(document: JsonValue, levels: int, within: Sequence[str | int] = ()) -> None:
    """Check each value of a parsed document.

    Args:
        document: a body, or a part of a body.
        levels: most levels of nesting.
        within: the path of the part in the body.

    Raises:
        InvalidJson: a number is too large for a double.
        InvalidFields: another rule is broken; the pointer begins with `within`.
    """
    try:
        _check_members([document], levels + 1)
    except _BadValue as bad:
        bad.path[-1:] = reversed(within)
        raise _as_fields(bad) from bad


def pointer(path: Sequence[str | int]) -> str:
    """Return `path` as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


class _BadValue(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.path: list[str | int] = []


def _as_fields(bad: _BadValue) -> InvalidFields:
    where = pointer(bad.path[::-1])
    return InvalidFields(str(bad), [FieldError(where, bad.code, str(bad))])


def _too_deep() -> _BadValue:
    return _BadValue("too-deep", f"arrays and objects nest more than {MAX_DEPTH} levels")


def _check_members(value: dict[str, JsonValue] | list[JsonValue], levels: int) -> None:
    """Walk all values once; the path of a bad value is built while the exception propagates."""
    if levels == 0:
        raise _too_deep()
    if isinstance(value, dict):
        for name in value:
            _check_text(name)
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        try:
            if isinstance(member, str):
                _check_text(member)
            elif isinstance(member, dict | list):
                _check_members(member, levels - 1)
            else:
                _check_number(member)
        except _BadValue as bad:
            bad.path.append(key)
            raise


def _check_number(value: int | float | None) -> None:
    if isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise _BadValue("integer-out-of-range", "an integer does not fit into 64 bits")
    elif value is not None and isinf(value):
        raise InvalidJson("a number is too large for a double")


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            message = "a text has half of a surrogate pair"
            raise _BadValue("invalid-unicode", message) from None


def unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return an object, and refuse keys that occur twice."""
    document = dict(pairs)
    if len(document) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidJson(f"the key {json.dumps(twice[:_SHOWN])} is twice in one object")
    return document


def _no_constant(name: str) -> JsonValue:
    raise InvalidJson(f"{name} is not JSON")


DECODER = json.JSONDecoder(object_pairs_hook=unique, parse_constant=_no_constant)
