"""JSON as taskq takes it: nothing that two parsers could understand differently.

Refused as syntax (400): duplicate keys, NaN and Infinity, numbers that a double cannot hold, a byte
order mark, anything but UTF-8. Refused as values (422): lone surrogates, nesting over 32 levels,
integers beyond 64 bits. orjson is faster but cannot tell: it keeps the last of two equal keys, and
makes a float of 2**64.
"""

import json
from collections import Counter
from math import isinf

from pydantic import JsonValue

from taskq_server.api.errors import InvalidJson
from taskq_server.core.errors import FieldError, InvalidFields

MAX_DEPTH = 32
"""How deep arrays and objects may nest; the task itself is the first level."""

_INTEGERS = range(-(2**63), 2**63)
_SHOWN = 64


def parse(raw: bytes, envelope: int = 0) -> JsonValue:
    """Return the document that `raw` spells.

    Args:
        raw: the bytes of a body.
        envelope: levels around the tasks that do not count towards `MAX_DEPTH`.

    Raises:
        InvalidJson: it is not strict JSON.
        InvalidFields: it is, but a value in it breaks a rule; one pointer says which.
    """
    try:
        document: JsonValue = _DECODER.decode(raw.decode("utf-8"))
        _check(document, MAX_DEPTH + envelope)
    except UnicodeDecodeError as error:
        raise InvalidJson(f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidJson(f"{error.msg}: {where}") from error
    except RecursionError as error:
        raise _as_fields(_too_deep()) from error
    except _BadValue as error:
        raise _as_fields(error) from error
    except ValueError as error:
        raise InvalidJson("an integer has too many digits") from error
    return document


def pointer(path: tuple[str | int, ...]) -> str:
    """Return `path` as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


class _BadValue(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.path: list[str | int] = []


def _as_fields(bad: _BadValue) -> InvalidFields:
    where = pointer(tuple(reversed(bad.path)))
    return InvalidFields(str(bad), [FieldError(where, bad.code, str(bad))])


def _too_deep() -> _BadValue:
    return _BadValue("too-deep", f"arrays and objects nest more than {MAX_DEPTH} levels")


def _check(value: JsonValue, levels: int) -> None:
    """Walk the whole document once; the path of a bad value is put together on the way out."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float):
        if isinf(value):
            raise InvalidJson("a number is too large for a double")
    elif isinstance(value, int):
        if value not in _INTEGERS:
            raise _BadValue("integer-out-of-range", "an integer does not fit into 64 bits")
    elif value is not None:
        _check_members(value, levels)


def _check_members(value: dict[str, JsonValue] | list[JsonValue], levels: int) -> None:
    if levels == 0:
        raise _too_deep()
    if isinstance(value, dict):
        for name in value:
            _check_text(name)
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        try:
            _check(member, levels - 1)
        except _BadValue as bad:
            bad.path.append(key)
            raise


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            message = "a text has half of a surrogate pair"
            raise _BadValue("invalid-unicode", message) from None


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    document = dict(pairs)
    if len(document) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidJson(f"the key {json.dumps(twice[:_SHOWN])} is twice in one object")
    return document


def _no_constant(name: str) -> JsonValue:
    raise InvalidJson(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
