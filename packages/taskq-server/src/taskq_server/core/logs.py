"""Logging of the processes: readable lines on a terminal, JSON elsewhere, unless told otherwise."""

import logging
import sys
import threading
from typing import Literal, assert_never

from taskq_server.core import environment
from taskq_server.core.log_handler import LineHandler
from taskq_server.core.log_lines import HANDLERS, LineFormatter, as_json, readable

Format = Literal["auto", "json", "console"]

_QUIET = {
    "aiosqlite": logging.WARNING,  # because at lower levels it logs statements with their values
    "arq": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncmy": logging.ERROR,
    "uvicorn.error": logging.WARNING,
    "watchfiles": logging.WARNING,
}
_OF_AIOSQLITE = "(_connection_worker_thread)"
_CLOSED = "Event loop is closed"


def configure(level: str | int = "INFO", form: Format = "auto") -> None:
    """Send all logging, warnings and errors that end threads to stderr, one line for each.

    Args:
        level: name or number of the lowest level to show.
        form: `json`, `console`, or `auto` for readable lines on a terminal and JSON elsewhere.
    """
    colours = sys.stderr.isatty() and environment.allows_colour()
    text = as_json if is_json(form) else readable(colours=colours)
    handler = LineHandler(LineFormatter(text))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    threading.excepthook = _log_end_of_thread
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)


def is_json(form: Format) -> bool:
    """Return whether lines are JSON."""
    match form:
        case "json":
            return True
        case "console":
            return False
        case "auto":
            return not sys.stderr.isatty()
        case _:
            assert_never(form)


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = "a thread" if ended.thread is None else f"the thread {ended.thread.name}"
    if name.endswith(_OF_AIOSQLITE) and str(ended.exc_value) == _CLOSED:
        return  # it has an answer for a caller that the end of the process has cancelled
    # taskq's own threads never end in an error, so a handler started this one.
    logging.getLogger(HANDLERS).error("%s ended in an error", name, exc_info=ended.exc_value)
