"""Logging of the processes: readable lines on a terminal, JSON elsewhere.

Texts are escaped in both. For errors of taskq and its libraries the log shows class and traceback,
but not the text, because the text may quote values. The logs of handlers are shown in full.
"""

import logging
import sys
import threading
from contextlib import suppress

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from taskq_server.core import environment
from taskq_server.core.log_text import brief, error_lines, escaped, escaped_text

_QUIET = {
    "aiosqlite": logging.WARNING,  # because at lower levels it logs statements with their values
    "arq": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncmy": logging.ERROR,
    "uvicorn.error": logging.WARNING,
    "watchfiles": logging.WARNING,
}
_OURS = frozenset({"alembic", "arq", "asyncio", "asyncmy", "sqlalchemy", "taskq", "uvicorn"})
_OF_AIOSQLITE = "(_connection_worker_thread)"
_CLOSED = "Event loop is closed"
_HANDLERS = "taskq.server.handler"
_WRITTEN_RAW = frozenset({"exception", "stack"})


def configure(level: str | int = "INFO") -> None:
    """Send all logging, warnings and errors that end threads to stderr through structlog.

    Args:
        level: name or number of the lowest level to show.
    """
    renderer: Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer(colors=environment.allows_colour())
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _make_safe,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    threading.excepthook = _log_end_of_thread
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg,unused-ignore]
    def handleError(self, record: logging.LogRecord) -> None:
        """Report a line that cannot be written; logging itself would print its parts unescaped."""
        why = sys.exception()
        with suppress(Exception):
            reason = "" if why is None else f": {brief(why)}"
            self.stream.write(f"a line of {escaped_text(record.name)} cannot be written{reason}\n")
            self.flush()


def _make_safe(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Escape all texts, and format the error, which alone may have several lines."""
    error = _error_of(event.pop("exc_info", None))
    secretive = _is_secretive(str(event.get("logger")))
    if secretive and event.get("logger") == "asyncio":
        event["event"] = _without_details(str(event["event"]))
    safe: EventDict = {}
    for key, value in event.items():
        shown = escaped_text(key)
        safe[f"{shown}_" if shown in _WRITTEN_RAW else shown] = escaped(value)
    if error is not None:
        safe["exception"] = "\n".join(error_lines(error, whole=not secretive))
    return safe


def _is_secretive(name: str) -> bool:
    """Whether to hide the texts of errors in this logger, because they may quote values."""
    return name.partition(".")[0] in _OURS and not f"{name}.".startswith(f"{_HANDLERS}.")


def _error_of(info: object) -> BaseException | None:
    match info:
        case BaseException():
            return info
        case (_, BaseException() as error, _):
            return error
        case None | False | (None, None, None):
            return None
        case _:
            return sys.exception()


def _without_details(event: str) -> str:
    """Return asyncio's message without tasks and arguments, because it prints their values."""
    return event.partition("\n")[0].partition("(")[0].partition("<")[0].rstrip()


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = "a thread" if ended.thread is None else f"the thread {ended.thread.name}"
    if name.endswith(_OF_AIOSQLITE) and str(ended.exc_value) == _CLOSED:
        return  # it has an answer for a caller that the end of the process has cancelled
    # taskq's own threads never end in an error, so a handler started this one.
    logging.getLogger(_HANDLERS).error("%s ended in an error", name, exc_info=ended.exc_value)
