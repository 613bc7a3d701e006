"""Logging of the processes: readable lines on a terminal, JSON elsewhere."""

import logging
import sys

import structlog

_QUIET = {
    "arq": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncmy": logging.ERROR,
    "uvicorn.error": logging.WARNING,
}


def configure(level: str | int = "INFO") -> None:
    """Send all logging to stderr through structlog.

    Args:
        level: name or number of the lowest level that is shown.
    """
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
