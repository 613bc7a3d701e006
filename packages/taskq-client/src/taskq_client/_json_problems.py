"""The place at which a value is no JSON, for the message about a failed encoding."""

from collections.abc import Iterable, Mapping
from math import isfinite

DEEPEST = 200
LONGEST_PATH = 200


def json_problem(value: object) -> str | None:
    """Name the first place at which a value is no JSON, and why; None if there is none."""
    return _problem(value, "", 0)


def _problem(value: object, path: str, depth: int) -> str | None:
    if depth > DEEPEST:
        return f"{_cut(path)}: nested too deeply, or it holds itself"
    if isinstance(value, Mapping):
        parts: Iterable[tuple[object, object, str]] = (
            (key, item, _step(path, key)) for key, item in value.items()
        )
    elif isinstance(value, list | tuple):
        parts = (("", item, f"{path}[{index}]") for index, item in enumerate(value))
    else:
        why = _why_not(value)
        return f"{_cut(path)}: {why}" if why else None
    for key, item, place in parts:
        if not isinstance(key, str | int | float | None):
            return f"{_cut(path)}: {type(key).__name__} is not a JSON type for a key"
        if why := _why_not(key) if isinstance(key, str) else None:
            return f"{_cut(path)}: a key is {why}"
        if found := _problem(item, place, depth + 1):
            return found
    return None


def _why_not(value: object) -> str | None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "text that is not valid Unicode"
        return None
    if isinstance(value, float):
        return None if isfinite(value) else f"{value} is not a JSON number"
    if value is None or isinstance(value, int):
        return None
    return f"{type(value).__name__} is not a JSON type"


def _step(path: str, key: object) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f"{path}.{key}" if path else key
    return f"{path}[{key!a}]"


def _cut(path: str) -> str:
    return path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}…"
