"""The log of a test: its records without outages, or its lines as the processes write them."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest

from taskq_server.core.log_lines import LineFormatter, as_json

Lines = Callable[[], list[dict[str, Any]]]
"""Returns the lines that were written so far, each as its fields."""

_OUTAGES = "taskq.server"
"""The logger of outages, which a process remembers from test to test. On a busy machine, Redis
seems to be away for a moment."""


def logged(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """Return the messages of this level or above that are not about an outage."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= level and record.name != _OUTAGES
    ]


@contextmanager
def json_lines(name: str = "taskq", level: int = logging.DEBUG) -> Iterator[Lines]:
    """Write what a logger and those below it log as JSON, as a process does."""
    logger, stream = logging.getLogger(name), StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(as_json))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
