"""The result of a scripted handler as JSON, or the refusal of the server's worker."""

import json
from collections import deque
from collections.abc import Iterator
from types import NoneType
from typing import Any

from pydantic_core import to_jsonable_python

MOST_BYTES = 1_048_576

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_NUMBERS = frozenset((NoneType, bool, int, float))
_ARRAYS = (list, tuple, set, frozenset, deque, Iterator)
_JSON = (*_NUMBERS, str, dict, *_ARRAYS)


class NotJson(Exception):
    """The refusal of a result by the server's worker."""


def written(value: object) -> Any:
    """Return the JSON that callers read when a handler returns this value.

    Raises:
        NotJson: It is no JSON, or too large.
    """
    try:
        text = _ENCODER.encode(value if _is_plain(value) else to_jsonable_python(_opened(value)))
        size = len(text.encode())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # of code that makes parts of the value
        raise NotJson(
            f"the result is not JSON: {type(error).__name__}: {message_of(error)}"
        ) from None
    if size > MOST_BYTES:
        raise NotJson(f"the result has more than the {MOST_BYTES} bytes of JSON that are allowed")
    return json.loads(text)


def message_of(error: BaseException) -> str:
    """Return the text of an error, or a sentence in place of one that cannot be printed."""
    try:
        return str.__str__(str(error))
    except BaseException:
        return "the error cannot be printed"


def _is_plain(value: object) -> bool:
    inside = [value]
    while inside:
        one = inside.pop()
        if type(one) is list:
            inside += one
        elif type(one) is dict:
            inside += *one, *one.values()
        elif type(one) is not str and type(one) not in _NUMBERS:
            return False
    return True


def _opened(value: Any) -> Any:
    if not isinstance(value, _JSON):
        value = to_jsonable_python(value)
    if isinstance(value, dict):
        return {key: _opened(one) for key, one in value.items()}
    if isinstance(value, _ARRAYS):
        return [_opened(one) for one in value]
    return value
