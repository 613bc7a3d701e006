"""The short way to the log says what the long one says, and leaves out nobody who listens."""

import json
import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from taskq_server.core.log_context import About
from taskq_server.core.log_handler import LineHandler, say
from taskq_server.core.log_lines import LineFormatter, Said, as_json, readable

# Without a parent, and not among those to which pytest adds handlers of its own.
LOG = logging.Logger("taskq.test_log_handler", logging.INFO)
EVIL = 'a\x1b[2J\nFAKE \x9b\u202e\x7f\ud800 "quoted" back\\slash ☃'
FORMS = {"json": as_json, "console": readable(colours=False)}
FIELDS: dict[str, dict[str, str | int]] = {
    "plain": {"task_id": "1", "attempt": 1},
    "evil": {"handler": EVIL, "attempt": 2**70},
    "none": {},
}


@pytest.fixture(params=FORMS)
def handler(request: pytest.FixtureRequest) -> Iterator[LineHandler]:
    handler = LineHandler(LineFormatter(FORMS[request.param]))
    handler.setStream(StringIO())
    LOG.addHandler(handler)
    try:
        yield handler
    finally:
        LOG.removeHandler(handler)
        LOG.filters.clear()


def written(handler: LineHandler) -> str:
    text: str = handler.setStream(StringIO()).getvalue()
    return re.sub(r"20\d\d-\S+Z", "TIME", text)


@pytest.mark.parametrize("what", FIELDS)
@pytest.mark.parametrize("event", ["said", EVIL, ""], ids=["plain", "evil", "empty"])
def test_a_line_without_a_record_is_the_line_of_a_record(
    handler: LineHandler, what: str, event: str
) -> None:
    fields = FIELDS[what]
    say(LOG, [Said(logging.INFO, event, fields)])
    short = written(handler)
    LOG.info("%s", event, extra=fields)
    long = written(handler)
    assert sorted(short) == sorted(long)
    if short.startswith("{"):
        assert json.loads(short) == json.loads(long)
    assert all(line.isprintable() for line in short.splitlines())
    assert len(short.splitlines()) == 1


class Counting(logging.Handler):
    """Another handler, such as that of a service that collects errors."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append((record.getMessage(), record.__dict__.get("task_id")))


def test_other_handlers_hear_of_it_as_well(handler: LineHandler) -> None:
    other = Counting()
    LOG.addHandler(other)
    try:
        say(LOG, [Said(logging.INFO, "100 % said", {"task_id": "1"})])
    finally:
        LOG.removeHandler(other)
    assert other.heard == [("100 % said", "1")]
    assert "100 % said" in written(handler)


def test_a_filter_has_its_way(handler: LineHandler) -> None:
    LOG.addFilter(lambda record: "secret" not in record.getMessage())
    say(LOG, [Said(logging.INFO, "a secret", {})])
    say(LOG, [Said(logging.INFO, "no more", {})])
    assert "secret" not in written(handler)
    handler.addFilter(lambda record: False)
    say(LOG, [Said(logging.INFO, "anything", {})])
    assert written(handler) == ""


def test_a_line_that_cannot_be_written_does_not_raise(
    handler: LineHandler,
) -> None:
    class Full(StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    handler.setStream(Full())
    say(LOG, [Said(logging.INFO, "said", {})])
    LOG.info("said")


def test_lines_that_are_said_at_once_have_no_fields_of_the_moment(handler: LineHandler) -> None:
    one, other = (Said(logging.INFO, each, {"task_id": each}) for each in ("one", "other"))
    with About(lambda: {"group": "ends"}):
        say(LOG, [one, other])
        first, second = written(handler).splitlines()
        LOG.addHandler(logging.NullHandler())  # so that records are made
        try:
            say(LOG, [one, other])
        finally:
            LOG.removeHandler(LOG.handlers[-1])
    assert written(handler).splitlines() == [first, second]
    assert "one" in first
    assert "other" in second
    assert "group" not in first
