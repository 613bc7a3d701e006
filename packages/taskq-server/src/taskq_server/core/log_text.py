"""What a line in a log may say: escaped texts, and errors without what they quote.

A text of a caller may come into any line, by way of an exception or of a handler. Raw, it could
steer the terminal of whoever reads the log, or look like a line of its own.
"""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress

_MOST_LEVELS = 8
_MOST_ERRORS = 20


def escaped_text(text: str) -> str:
    """Return a text in which everything but printable characters is escaped as Python would."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def escaped(value: object, levels: int = _MOST_LEVELS) -> object:
    """Return a value for a log: the same, with all texts in it escaped.

    Args:
        value: anything; what is neither a number nor a collection becomes a text.
        levels: how deep collections are looked into.
    """
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        return escaped_text(str.__str__(value))
    try:
        if levels and isinstance(value, Mapping):
            return {_key(key): escaped(one, levels - 1) for key, one in value.items()}
        if levels and isinstance(value, list | tuple | set | frozenset):
            return [escaped(one, levels - 1) for one in value]
        return escaped_text(repr(value))
    except Exception:  # of somebody else's class
        return f"<a {escaped_text(type(value).__name__)} that cannot be printed>"


def brief(error: BaseException) -> str:
    """Return an error's class and code. What it says may quote values: a payload, a statement."""
    name = "an error"
    with suppress(Exception):
        name = escaped_text(type(error).__name__)
        code = _code(getattr(error, "orig", None) or error)
        return name if code is None else f"{name} {code}"
    return name


def error_lines(error: BaseException, *, whole: bool) -> Iterator[str]:
    """Yield the lines of a traceback, each of them escaped.

    Args:
        error: with what led to it.
        whole: with what it says; else only with its class and code.
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
    """Return what led to an error, and the error last."""
    chain = [error]
    while len(chain) < _MOST_ERRORS:
        last = chain[-1]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None or any(cause is one for one in chain):
            break
        chain.append(cause)
    return chain[::-1]


def _code(error: BaseException) -> str | None:
    """Return what a database or the system calls an error."""
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
