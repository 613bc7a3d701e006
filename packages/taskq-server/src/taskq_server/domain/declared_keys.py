"""The unique keys that handlers find in the payloads of their tasks."""

import json
from hashlib import sha256
from typing import Any

from taskq_server.domain import limits
from taskq_server.domain.pointers import value_at

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_EXACT = 2**53


def unique_key(handler: str, pointer: str, payload: Any) -> str | None:
    """Return the unique key of a task, which begins with its handler; None if it has none.

    It has none if the pointer finds nothing or null. A text stands for itself and a number for
    itself as JSON writes it, so 42 and "42" are one key; a list or an object is written as JSON,
    with sorted names. What is longer than a key may be, or has characters that a key may not have,
    is hashed.

    Args:
        handler: the name of the handler, so that two handlers never share a key.
        pointer: a valid JSON pointer.
        payload: of the task.
    """
    value = value_at(pointer, payload)
    if value is None:
        return None
    key = f"{handler}:{_written(value)}"
    if len(key) <= limits.UNIQUE_KEY_LENGTH and key.isprintable() and not key.endswith(" "):
        return key
    return f"sha256:{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return _CANONICAL.encode(value)
