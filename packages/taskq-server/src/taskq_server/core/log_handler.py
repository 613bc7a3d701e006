"""The handler that writes the lines of a process, and a short way to it for frequent ones."""

import logging
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from contextvars import Context

from taskq_server.core.log_lines import LineFormatter, Said
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

    def write(self, logger: str, said: Iterable[Said]) -> None:
        """Write lines without records, all of them at once.

        Args:
            logger: its name.
            said: what the lines say.
        """
        self.acquire()
        try:
            moment = time.time()
            self.stream.write("".join(self._lines.line(logger, one, moment) for one in said))
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


def say(logger: logging.Logger, said: Sequence[Said]) -> None:
    """Log lines that are written for each task.

    Where nobody but a `LineHandler` hears of them, no records are made, because these take longer
    than the lines. The lines have no fields but their own, whoever writes them.

    Args:
        logger: lets their levels through.
        said: what the lines say.
    """
    if not said:
        return
    only = _only_handler(logger)
    if only is None:
        Context().run(_handle, logger, said)
    else:
        only.write(logger.name, said)


def _handle(logger: logging.Logger, said: Iterable[Said]) -> None:
    for level, event, fields in said:
        record = logger.makeRecord(
            logger.name, level, __file__, 0, event, (), None, extra=dict(fields)
        )
        logger.handle(record)


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
