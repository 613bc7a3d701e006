"""Read arguments before anything is sent, so that an error can name the argument."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from math import nan
from numbers import Real
from sys import float_info
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from taskq_client.errors import InvalidRequest, TaskqError

LONGEST_SHOWN = 80


class Span(NamedTuple):
    """The durations that an argument may have, in seconds and in words."""

    least: float
    most: float
    words: str


# Some systems count the time limit of a socket in milliseconds, in 32 bits.
OF_A_CALL = Span(float_info.min, 7 * 86_400, "a number of seconds over 0, up to a week")
OF_A_WAIT = Span(0, 366 * 86_400, "0 seconds or more, up to a year, or None for no limit")
OF_A_LOOK_BACK = Span(float_info.min, 30 * 86_400, "a number of seconds over 0, up to thirty days")
ANY = Span(-float_info.max, float_info.max, "a number of seconds or a timedelta")


class UrlObject(Protocol):
    """A url of pydantic, httpx or yarl, whose text is the url."""

    @property
    def scheme(self) -> str:
        """The part before `://`."""

    @property
    def host(self) -> str | None:
        """The name or address of a server."""


class SecretText(Protocol):
    """A secret of pydantic."""

    def get_secret_value(self) -> str:
        """Return the text."""


def seconds(
    name: str,
    value: object,
    allowed: Span = ANY,
    error: Callable[[str], TaskqError] = InvalidRequest,
) -> float:
    """Read a duration: a number of seconds, of any kind, or a timedelta.

    Args:
        name: The name of the argument.
        value: The value of the argument.
        allowed: The durations that the argument may have.
        error: The error to raise for any other value.
    """
    number = _number(value)
    if not allowed.least <= number <= allowed.most:  # nor is it if it is NaN
        raise error(f"{name} must be {allowed.words}, not {shown(value)}")
    return number


def count(name: str, value: object, error: Callable[[str], TaskqError] = InvalidRequest) -> int:
    """Read a number of times."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise error(f"{name} must be 0 or more, a whole number, not {shown(value)}")


def text(name: str, value: object) -> str:
    """Read a name or a key."""
    if isinstance(value, str):
        return str.__str__(value)  # its text, also if it is the member of an enum
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        with suppress(ValueError):  # thousands of digits
            return str(value)
    raise InvalidRequest(f"{name} must be text or a whole number, not {shown(value)}")


def several(name: str, values: object) -> None:
    """Check that an argument is iterable, and not a single task, text or mapping."""
    one = isinstance(values, str | bytes | Mapping | BaseModel)
    if one or not isinstance(values, Iterable):
        kind = type(values).__name__
        raise InvalidRequest(f"{name} must be a list, or another iterable, not {kind}")


def reader(name: str, type_: object) -> TypeAdapter[Any] | None:
    """Prepare to read a result as a type; None stands for plain JSON."""
    if type_ is None:
        return None
    try:
        try:
            # Equal unions may differ in their order, which decides between equal matches.
            return _cached_reader(type_, repr(type_))
        except TypeError:  # metadata of Annotated that cannot be hashed
            return _new_reader(type_)
    except Exception as error:  # whatever the code of the type raises
        why = str(error).partition("\n")[0]
        raise InvalidRequest(f"{name} is no type that pydantic can read: {why}") from None


def shown(value: object) -> str:
    """Show a value in a few words."""
    try:
        text = repr(value)
    except Exception:  # of the value's own, or of a number with thousands of digits
        return f"this {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _new_reader(type_: Any) -> TypeAdapter[Any]:
    made: TypeAdapter[Any] = TypeAdapter(type_)
    made.validator.title  # noqa: B018 - one that waits for other types is built now, or raises
    return made


@lru_cache(maxsize=256)
def _cached_reader(type_: object, text: str) -> TypeAdapter[Any]:
    return _new_reader(type_)


def _number(value: object) -> float:
    if type(value) is float:  # most are, and the others take longer to tell
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, Real, Decimal)):
        return nan
    try:
        number = float(value)
    except (OverflowError, ValueError):  # 10**400, a signalling NaN
        return nan
    return value if isinstance(value, int) else number  # sent as it was given
