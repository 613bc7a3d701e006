"""A record of the log as one line: JSON for programs, or readable on a terminal.

Each line has its text, logger, level and time, then what the record adds, then what it is about
(`core.log_context`). Texts are escaped. For errors of taskq and its libraries a line shows class
and traceback, but not the text, because the text may quote values.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from taskq_server.core.log_context import Fields, fields
from taskq_server.core.log_text import error_lines, escaped, escaped_text

HANDLERS = "taskq.server.handler"
"""The logger of handlers, which may say what they like."""

Line = dict[str, Any]


class Said(NamedTuple):
    """What a line says: the number of its level, its text, and its other fields."""

    level: int
    event: str
    fields: Fields


_OURS = frozenset({"alembic", "arq", "asyncio", "asyncmy", "sqlalchemy", "taskq", "uvicorn"})
_OWN = frozenset({"event", "logger", "level", "timestamp", "exception", "stack"})
_OF_EACH = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None)))
_OF_RECORDS = _OF_EACH | {"asctime", "message"}


class LineFormatter(logging.Formatter):
    """Write records as lines.

    Args:
        text: returns a line whose fields are safe as text.
    """

    def __init__(self, text: Callable[[Line], str]) -> None:
        super().__init__()
        self._text = text

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return self._text(_line_of(record))

    def line(self, logger: str, said: Said, moment: float) -> str:
        """Return a line, with its end, that no record was made for.

        Args:
            logger: its name.
            said: what it says.
            moment: when, in seconds since 1970.
        """
        line = {
            "event": said.event,
            "logger": logger,
            "level": _level(said.level),
            "timestamp": _time(moment),
            **said.fields,
        }
        text = _plain(line) if self._text is as_json else None
        if text is None:
            text = self._text({key: escaped(value) for key, value in line.items()})
        return f"{text}\n"


def as_json(line: Line) -> str:
    """Return a line as JSON in ASCII, which every stream can write."""
    data = orjson.dumps(line)
    return data.decode() if data.isascii() else json.dumps(line)


def _plain(line: Line) -> str | None:
    """Return a line as JSON, or None if there may be something in it to escape."""
    try:
        data = orjson.dumps(line)
    except orjson.JSONEncodeError:
        return None
    is_plain = data.isascii() and b"\\" not in data and b"\x7f" not in data
    return data.decode() if is_plain else None


def readable(*, colours: bool) -> Callable[[Line], str]:
    """Return what writes lines for people; the traceback of an error takes several.

    Args:
        colours: whether the terminal gets colours.
    """
    from structlog.dev import ConsoleRenderer  # here, because it takes long to import

    render = ConsoleRenderer(colors=colours)

    def write(line: Line) -> str:
        text = render(None, "", line)
        assert isinstance(text, str)
        return text

    return write


def _line_of(record: logging.LogRecord) -> Line:
    name = record.name
    secretive = _is_secretive(name)
    said = record.getMessage()
    line: Line = {
        "event": escaped_text(_without_details(said) if name == "asyncio" else said),
        "logger": escaped_text(name),
        "level": record.levelname.lower(),
        "timestamp": _time(record.created),
    }
    found = vars(record)
    if len(found) > len(_OF_EACH):
        for key in found.keys() - _OF_RECORDS:
            shown = escaped_text(key)
            line[f"{shown}_" if shown in _OWN else shown] = escaped(found[key])
    for key, value in fields().items():
        if key not in line:
            line[key] = escaped(value)
    if record.stack_info:
        line["stack_info"] = escaped_text(record.stack_info)
    error = _error_of(record.exc_info)
    if error is not None:
        line["exception"] = "\n".join(error_lines(error, whole=not secretive))
    return line


@lru_cache(maxsize=1_000)
def _is_secretive(name: str) -> bool:
    """Whether to hide the texts of errors in this logger, because they may quote values."""
    return name.partition(".")[0] in _OURS and not f"{name}.".startswith(f"{HANDLERS}.")


@lru_cache(maxsize=100)
def _level(number: int) -> str:
    return logging.getLevelName(number).lower()


def _time(moment: float) -> str:
    whole, fraction = divmod(moment, 1)
    return f"{_second(int(whole))}.{int(fraction * 1_000_000):06d}Z"


@lru_cache(maxsize=2)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def _error_of(info: object) -> BaseException | None:
    match info:
        case None:
            return None
        case BaseException():
            return info
        case (_, BaseException() as error, _):
            return error
        case False | (None, None, None):
            return None
        case _:
            return sys.exception()


def _without_details(event: str) -> str:
    """Return asyncio's message without tasks and arguments, because it prints their values."""
    return event.partition("\n")[0].partition("(")[0].partition("<")[0].rstrip()
