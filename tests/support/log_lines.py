"""The log of a test, without outages: a process remembers those of other tests, too."""

import logging

import pytest

_OUTAGES = "taskq.server"
"""The logger of outages. On a busy machine, Redis seems to be away for a moment."""


def logged(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """Return the messages of this level or above that are not about an outage."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= level and record.name != _OUTAGES
    ]
