"""Strict JSON, as the server takes it: two parsers cannot read it differently."""

import json
from collections import Counter
from math import isinf
from typing import Any

from taskq_client.testing._problems import Problem, invalid, pointer

MAX_DEPTH = 32

_LEAST, _MOST = -(2**63), 2**63 - 1
_SHOWN = 64


def parse(raw: bytes, envelope: int = 0) -> Any:
    """Read a body, or raise the problem of the server.

    Args:
        raw: Its bytes.
        envelope: Levels around the tasks that do not count as theirs.
    """
    try:
        document = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Problem("invalid-json", f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Problem("invalid-json", f"{error.msg}: {where}") from None
    except ValueError:
        raise Problem("invalid-json", "an integer has too many digits") from None
    except RecursionError:
        raise _too_deep([]) from None
    _check([document], MAX_DEPTH + envelope + 1, [])
    return document


def canonical(document: Any) -> str:
    """Write a document so that equal documents have equal texts."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def count(value: Any) -> int:
    """Count the values in a document, nested values included."""
    members = value.values() if isinstance(value, dict) else value
    return 1 + (sum(map(count, members)) if isinstance(value, dict | list) else 0)


def _check(value: Any, levels: int, path: list[str | int]) -> None:
    if levels == 0:
        raise _too_deep(path[1:])
    if isinstance(value, dict):
        for name in value:
            _check_text(name, path[1:])
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        inside = [*path, key]
        if isinstance(member, str):
            _check_text(member, inside[1:])
        elif isinstance(member, dict | list):
            _check(member, levels - 1, inside)
        elif isinstance(member, int):
            if not _LEAST <= member <= _MOST:
                what = "an integer does not fit into 64 bits"
                raise invalid("integer-out-of-range", what, pointer(inside[1:]))
        elif member is not None and isinf(member):
            raise Problem("invalid-json", "a number is too large for a double")


def _check_text(text: str, path: list[str | int]) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        what = "a text has half of a surrogate pair"
        raise invalid("invalid-unicode", what, pointer(path)) from None


def _too_deep(path: list[str | int]) -> Problem:
    what = f"arrays and objects nest more than {MAX_DEPTH} levels"
    return invalid("too-deep", what, pointer(path))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        name = json.dumps(twice[:_SHOWN])
        raise Problem("invalid-json", f"the key {name} is twice in one object")
    return document


def _no_constant(name: str) -> Any:
    raise Problem("invalid-json", f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
