"""What a command says at its start, on terminals of several widths and to a log."""

import json
import logging
import os
import pty
import subprocess
import sys
from typing import Any

import pytest
from click import unstyle

from taskq_server.cli import _announcement as announcement
from taskq_server.core.config import Settings
from tests.unit.server.cli.screen_files import compare

URL = "http://127.0.0.1:8000"
SECRET = "S3CRET"
DEPLOYED = Settings.load(
    database_url=f"mysql+asyncmy://taskq:{SECRET}@db.internal:3306/taskq?ssl=true",
    redis_url=f"rediss://taskq:{SECRET}@cache.internal:6379/0?ssl_cert_reqs=required",
    namespaces="billing,reports",
    queues="default,mails",
    drain_seconds=120,
)
HANDLERS = [f"reports.{word}" for word in ("build", "mail", "prune", "render", "translate")]


def screen(what: str, facts: dict[str, Any], stop: str, columns: int) -> str:
    return unstyle(announcement.screen(what, {"version": "0.1.0"} | facts, stop, columns))


@pytest.mark.parametrize("columns", [60, 80])
def test_dev_fits_the_terminal(columns: int) -> None:
    settings = Settings.load(database_url="sqlite+aiosqlite:///.taskq/taskq.db")
    facts = {
        **announcement.of_api(settings, URL, "0006"),
        **announcement.of_worker(settings, HANDLERS),
    }
    stop = announcement.how_to_drain(settings)
    compare(screen(f"taskq is running: {URL}", facts, stop, columns), "dev", columns)


@pytest.mark.parametrize("columns", [60, 80])
def test_worker_and_api_fit_the_terminal(columns: int) -> None:
    facts = announcement.of_lone_worker(DEPLOYED, None, HANDLERS)
    worker = screen("taskq worker is starting", facts, announcement.how_to_drain(DEPLOYED), columns)
    compare(worker, "worker", columns)
    api = announcement.of_api(DEPLOYED, URL, "0006")
    compare(screen(f"taskq API is running: {URL}", api, "Stop.", columns), "api", columns)


def test_no_password_is_announced() -> None:
    facts = announcement.of_lone_worker(DEPLOYED, "0006", HANDLERS)
    assert SECRET not in f"{facts}"
    assert facts["database"] == "mysql://taskq@db.internal:3306/taskq"
    assert facts["redis"] == "rediss://cache.internal:6379/0"


def test_many_handlers_are_counted_and_some_named_and_none_is_said() -> None:
    def handlers(names: list[str]) -> str:
        facts = announcement.of_worker(DEPLOYED, names)
        return screen("x", facts, "y", 10_000).partition("handlers     ")[2].partition("\n")[0]

    many = [f"h{number}" for number in range(100)]
    assert handlers(many).startswith("100: h0, h1, ")
    assert "and 60 more" in " ".join(screen("x", {"handlers": many}, "y", 60).split())
    assert handlers([]) == "none: name their modules with --handlers"
    assert handlers(["one"]) == "1: one"


def test_names_cannot_steer_the_terminal() -> None:
    settings = Settings.load(namespace="a\x1b[2Jb")
    assert "\x1b" not in screen("x", announcement.of_api(settings, URL, "1"), "y", 80)


def test_elsewhere_it_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "taskq.server")
    announcement.announce("taskq worker is starting", {"handlers": HANDLERS}, "y")
    (record,) = caplog.records
    assert record.getMessage() == "taskq worker is starting"
    assert record.__dict__["handlers"] == HANDLERS


ON_A_TERMINAL = """
from taskq_server.cli import _announcement
from taskq_server.core import logs
logs.configure("INFO")
_announcement.announce("taskq API is running", {"version": "0.1.0"}, "Press Ctrl-C to stop.")
"""


@pytest.mark.parametrize("to_a_file", [True, False])
def test_a_log_that_goes_to_a_file_has_the_line_even_if_people_see_it(to_a_file: bool) -> None:
    ours, theirs = pty.openpty()
    stderr = subprocess.PIPE if to_a_file else theirs
    words = [sys.executable, "-c", ON_A_TERMINAL]
    done = subprocess.run(words, stdout=theirs, stderr=stderr, timeout=60, check=True)
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert shown.count("taskq API is running") == 1
    assert "Press Ctrl-C to stop." in shown
    if to_a_file:
        line = json.loads(done.stderr)
        assert (line["event"], line["version"]) == ("taskq API is running", "0.1.0")


def test_the_end_is_told_however_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "taskq.server")
    with pytest.raises(KeyError), announcement.told_at_the_end("taskq API"):
        raise KeyError
    (record,) = caplog.records
    assert record.getMessage() == "taskq API has ended after 0 s"
