"""JSON pointers (RFC 6901) into the payloads of tasks."""

import re
from typing import Any

_ESCAPES = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


def steps(pointer: str) -> tuple[str, ...]:
    """Return the names and indices that a pointer is made of; none for the whole value.

    Args:
        pointer: such as `/customer/id`; in a name `~1` stands for `/` and `~0` for `~`.

    Raises:
        ValueError: it is no JSON pointer; the message says why, for a sentence.
    """
    if pointer and not pointer.startswith("/"):
        raise ValueError("a JSON pointer begins with /")
    if _ESCAPES.search(pointer):
        raise ValueError("in a JSON pointer ~ is written as ~0, and / in a name as ~1")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def value_at(pointer: str, value: Any) -> Any:
    """Return what a pointer finds in a value, and None if it finds nothing.

    Args:
        pointer: a valid one.
        value: as JSON was read.
    """
    for step in steps(pointer):
        match value:
            case dict():
                value = value.get(step)
            case list() if _INDEX.fullmatch(step) and int(step) < len(value):
                value = value[int(step)]
            case _:
                return None
    return value
