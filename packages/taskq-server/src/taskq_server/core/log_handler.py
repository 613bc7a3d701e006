"""The handler that writes the lines of a process, and a short way to it for frequent ones."""

import logging
import sys
from contextlib import suppress

from taskq_server.core.log_context import Fields
from taskq_server.core.log_lines import LineFormatter
from taskq_server.core.log_text import brief, escaped_text


class LineHandler(logging.StreamHandler):  # type: ignore[type-arg,unused-ignore]
    """Write one line for each record to stderr, which is flushed at the end of each line.

    Args:
        formatter: returns the lines.
    """

    def __init__(self, formatter: LineFormatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._lines = formatter

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record."""
        try:
            self.stream.write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)

    def write(self, logger: str, level: int, event: str, fields: Fields) -> None:
        """Write a line without a record.

        Args:
            logger: its name.
            level: the number of its level.
            event: its text.
            fields: the others.
        """
        self.acquire()
        try:
            self.stream.write(f"{self._lines.line(logger, level, event, fields)}\n")
        except Exception:
            self.handleError(logging.makeLogRecord({"name": logger}))
        finally:
            self.release()

    def handleError(self, record: logging.LogRecord) -> None:
        """Report a line that cannot be written; logging itself would print its parts unescaped."""
        why = sys.exception()
        with suppress(Exception):
            reason = "" if why is None else f": {brief(why)}"
            self.stream.write(f"a line of {escaped_text(record.name)} cannot be written{reason}\n")
            self.flush()


def say(logger: logging.Logger, level: int, event: str, fields: Fields) -> None:
    """Log a line that is written for each task.

    Where nobody but a `LineHandler` hears of it, no record is made, because that takes longer than
    the line.

    Args:
        logger: lets the level through.
        level: the number of the level.
        event: the text.
        fields: what the line is about.
    """
    only = _only_handler(logger)
    if only is None:
        record = logger.makeRecord(
            logger.name, level, __file__, 0, event, (), None, extra=dict(fields)
        )
        logger.handle(record)
    else:
        only.write(logger.name, level, event, fields)


def _only_handler(logger: logging.Logger) -> LineHandler | None:
    """Return the handler of a logger if it has one, and nothing comes before that."""
    found: LineHandler | None = None
    at: logging.Logger | None = logger
    if logger.disabled or logger.filters:
        return None
    while at is not None:
        for handler in at.handlers:
            if found is not None or not isinstance(handler, LineHandler) or handler.filters:
                return None
            found = handler
        at = at.parent if at.propagate else None
    return found
