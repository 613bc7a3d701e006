"""Make texts safe for the log: escape them, and leave out the values that errors quote.

A caller's text may reach any line through an exception or a handler. Unescaped, it could control
the reader's terminal, or forge a line of the log.
"""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress

_MOST_LEVELS = 8
_MOST_ERRORS = 20
_LARGEST = 2**53  # up to here, every reader of JSON takes a number as it is


def escaped_text(text: str) -> str:
    """Return a text with its unprintable characters escaped as Python does."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def escaped(value: object, levels: int = _MOST_LEVELS) -> object:
    """Return a value for the log, with all texts in it escaped.

    Args:
        value: any value; one that is neither a number nor a collection becomes a text.
        levels: how many levels of collections to keep.
    """
    if type(value) is str:
        return value if value.isprintable() else escaped_text(value)
    if value is None or type(value) is bool:
        return value
    if type(value) is int or type(value) is float:
        return value if -_LARGEST <= value <= _LARGEST else repr(value)  # not even JSON for nan
    if isinstance(value, str):
        return escaped_text(str.__str__(value))
    try:
        if levels and isinstance(value, Mapping):
            return {_key(key): escaped(one, levels - 1) for key, one in value.items()}
        if levels and isinstance(value, list | tuple | set | frozenset):
            return [escaped(one, levels - 1) for one in value]
        return escaped_text(repr(value))
    except Exception:  # raised by a foreign class
        return f"<a {escaped_text(type(value).__name__)} that cannot be printed>"


def brief(error: BaseException) -> str:
    """Return an error's class and code, because its text may quote a payload or a statement."""
    name = "an error"
    with suppress(Exception):
        name = escaped_text(type(error).__name__)
        code = _code(getattr(error, "orig", None) or error)
        return name if code is None else f"{name} {code}"
    return name


def error_lines(error: BaseException, *, whole: bool) -> Iterator[str]:
    """Yield the lines of a traceback, each of them escaped.

    Args:
        error: the error, whose causes are shown as well.
        whole: whether to show the texts of errors; otherwise only their classes and codes.
    """
    for number, one in enumerate(_chain(error)):
        if number:
            yield "which led to:"
        yield "Traceback (most recent call last):"
        with suppress(Exception):
            for frame in traceback.format_tb(one.__traceback__):
                yield from map(escaped_text, frame.splitlines())
        yield f"{brief(one)}: {_said(one)}" if whole else brief(one)
        if isinstance(one, BaseExceptionGroup):
            for part in one.exceptions[:_MOST_ERRORS]:
                yield from (f"  | {line}" for line in error_lines(part, whole=whole))


def _key(key: object) -> str:
    return escaped_text(str.__str__(key) if isinstance(key, str) else repr(key))


def _chain(error: BaseException) -> list[BaseException]:
    """Return the causes of an error, and the error last."""
    chain = [error]
    while len(chain) < _MOST_ERRORS:
        last = chain[-1]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None or any(cause is one for one in chain):
            break
        chain.append(cause)
    return chain[::-1]


def _code(error: BaseException) -> str | None:
    """Return the error code of the database or the operating system."""
    name = getattr(error, "sqlite_errorname", None)
    if isinstance(name, str):
        return escaped_text(name)
    match error.args:
        case (int() as number, _, *_):
            return str(number)
        case _:
            return None


def _said(error: BaseException) -> str:
    try:
        return escaped_text(str.__str__(str(error)))
    except Exception:
        return "it cannot be printed"
