"""Serialise the result of a handler as JSON text.

Parts of a result may be computed only during serialisation, such as the items of an iterator or the
fields of a model. That runs foreign code, which may take long, raise, or never end. So a result
that is not small and plain is serialised in a thread, counted on the way, and abandoned with its
attempt.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from types import NoneType
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from taskq_server.worker.attempts.failures import failed, message_of, name_of
from taskq_server.worker.attempts.result import Failed, Succeeded

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_NUMBERS = frozenset((NoneType, bool, int, float))
_ARRAYS = (list, tuple, set, frozenset, deque, Iterator)
_JSON = (*_NUMBERS, str, dict, *_ARRAYS)
_SMALL = 16_384


class TooLarge(Exception):
    """A result has more bytes of JSON than are allowed."""


class Stopped(Exception):
    """The attempt was interrupted, so its result is no longer needed."""


class Room:
    """The bytes left for a result: each value and each character of a text counts as one byte.

    Args:
        most: largest number of bytes of JSON.
        is_over: returns whether the attempt was interrupted.
    """

    def __init__(self, most: int, is_over: Callable[[], bool]) -> None:
        self.most = most
        self.is_over = is_over
        self._left = most

    def take(self, value: object) -> None:
        """Count a value, without the values inside.

        Raises:
            TooLarge: there is no more room.
            Stopped: the attempt was interrupted.
        """
        self._left -= 1 + (len(value) if isinstance(value, str) else 0)
        if self._left < 0:
            raise TooLarge
        if self.is_over():
            raise Stopped


def is_small(value: object) -> bool:
    """Return whether serialising a result takes hardly any time and runs no foreign code."""
    left = _SMALL
    inside = [value]
    while inside:
        one = inside.pop()
        if type(one) is str or type(one) is list or type(one) is dict:
            left -= len(one)
            if left < 0:
                return False
            if type(one) is list:
                inside += one
            elif type(one) is dict:
                inside += *one, *one.values()
        elif type(one) not in _NUMBERS:
            return False
    return True


def written(value: object, room: Room, *, is_plain: bool) -> Succeeded | Failed:
    """Serialise a result; this takes as long as the code that computes its parts.

    Args:
        value: the handler's return value.
        room: the room for this result.
        is_plain: whether the value is small and plain.

    Raises:
        Stopped: the attempt was interrupted.
    """
    try:
        # `to_jsonable_python` once more as a whole, because dictionaries may have keys of any type.
        text = _ENCODER.encode(value if is_plain else to_jsonable_python(_plain(value, room)))
        size = len(text.encode())
    except Stopped:
        raise
    except TooLarge:
        size = room.most + 1
    except BaseException as error:  # raised by code that computes parts of the value
        return _bad(f"the result is not JSON: {name_of(error)}: {message_of(error)}")
    if size > room.most:
        return _bad(f"the result has more than the {room.most} bytes of JSON that are allowed")
    return Succeeded(text, size)


def _bad(detail: str) -> Failed:
    return Failed(failed("InvalidResult", detail, fatal=True))


def _plain(value: Any, room: Room) -> Any:
    """Return a result without iterators and models, and count all its parts."""
    if not isinstance(value, _JSON):
        value = to_jsonable_python(_bounded(value, room))
    room.take(value)
    if isinstance(value, dict):
        return {key: _plain(one, room) for key, one in value.items()}
    if isinstance(value, _ARRAYS):
        return [_plain(one, room) for one in value]
    return value


def _bounded(model: object, room: Room) -> object:
    """Return a model whose iterators are counted, because pydantic would read endless ones."""
    models = [model]
    seen = set()
    for one in models:
        if id(one) in seen or not (isinstance(one, BaseModel) or is_dataclass(one)):
            continue
        seen.add(id(one))
        fields = getattr(one, "__dict__", {})
        for name, field in fields.items():
            if isinstance(field, Iterator):
                fields[name] = _counted(field, Room(room.most, room.is_over))
            else:
                models.append(field)
    return model


def _counted(items: Iterator[object], room: Room) -> Iterator[object]:
    for one in items:
        room.take(one)
        yield one
