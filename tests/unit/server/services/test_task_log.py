"""The lines that a worker writes about tasks: one for each that ends, at the level that is set."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest

from taskq_server.core.config import Settings
from taskq_server.core.log_context import fields
from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.task import Outcome, Status, Task
from taskq_server.services.task_log import OWN_FAULT, REFUSED, TaskLog, about_task
from tests.unit.server.factories import NOW, make_task, running

TRACE = "0af7651916cd43dd8448eb211c80319c"
LATER = NOW + timedelta(seconds=0.312)
TASK = running(handler="reports.build", started_at=NOW)
End = Callable[[Task], AttemptEnded]


def fails(message: str = "the disk is full", *, kind: str = "OSError", fatal: bool = False) -> End:
    failure = Failure(outcome=Outcome.FAILED, type=kind, message=message, fatal=fatal)
    return lambda task: lifecycle.fail(
        task, failure, backoff=Backoff(base=60), random=lambda: 0.5, now=LATER
    )


def said(caplog: pytest.LogCaptureFixture, log: TaskLog, end: AttemptEnded) -> tuple[str, str]:
    """The level and the text of the only line of an end."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "taskq.server.tasks"):
        log.ended([end])
    (record,) = caplog.records
    return record.levelname, record.getMessage().replace(str(end.task.id), "ID")


ENDS: dict[str, tuple[End, str, str]] = {
    "a result": (
        lambda task: lifecycle.succeed(task, result="1", now=LATER),
        "INFO",
        "reports.build ID succeeded in 0.31 s",
    ),
    "a cancel": (
        lambda task: lifecycle.cancel_running(task, now=LATER),
        "INFO",
        "reports.build ID was cancelled after 0.31 s",
    ),
    "a failure": (
        fails(),
        "INFO",
        "reports.build ID failed at attempt 1, after 0.31 s, and is tried again at "
        "2026-10-05T12:00:30Z: OSError: the disk is full",
    ),
    "the last failure": (
        fails(fatal=True),
        "WARNING",
        "reports.build ID failed for good at attempt 1, after 0.31 s: OSError: the disk is full",
    ),
    "a lost worker": (
        lambda task: lifecycle.rescue(task, now=LATER),
        "WARNING",
        "reports.build ID lost its worker at attempt 1, after 0.31 s, and is queued again",
    ),
    "the last lost worker": (
        lambda task: lifecycle.rescue(task._replace(lost_count=2), now=LATER, why="it is gone"),
        "WARNING",
        "reports.build ID failed for good at attempt 1, after 0.31 s: WorkerLost: it is gone",
    ),
    "a worker that stops": (
        lambda task: lifecycle.release(task, now=LATER),
        "DEBUG",
        "reports.build ID is handed back at attempt 1, after 0.31 s",
    ),
}


@pytest.mark.parametrize("what", ENDS)
def test_each_end_is_one_line(caplog: pytest.LogCaptureFixture, what: str) -> None:
    end, level, text = ENDS[what]
    assert said(caplog, TaskLog(), end(TASK)) == (level, text)


def test_every_status_that_an_attempt_can_end_in_has_a_line() -> None:
    assert {end(TASK).task.status for end, _, _ in ENDS.values()} == set(Status) - {Status.RUNNING}


def test_the_level_of_each_is_one_setting(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.load(
        log_starts="error", log_ends="Debug", log_retries="CRITICAL", log_failures="info"
    )
    log = TaskLog.of(settings)
    levels = {what: said(caplog, log, end(TASK))[0] for what, (end, _, _) in ENDS.items()}
    assert levels == {
        "a result": "DEBUG",
        "a cancel": "DEBUG",
        "a failure": "CRITICAL",
        "the last failure": "INFO",
        "a lost worker": "INFO",
        "the last lost worker": "INFO",
        "a worker that stops": "ERROR",
    }
    caplog.clear()
    log.started([TASK])
    log.cancelled(TASK)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert TaskLog.of(Settings.load()) == TaskLog()


def test_a_level_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"TASKQ_LOG_ENDS.*'INFO'"):
        Settings.load(log_ends="loud")


@pytest.mark.parametrize("own", [OWN_FAULT, REFUSED])
def test_an_error_of_our_own_is_told_without_what_it_quotes(
    caplog: pytest.LogCaptureFixture, own: str
) -> None:
    end = fails(f"{own}: Duplicate entry 'PLANTED-SECRET'", kind="IntegrityError", fatal=True)
    _, text = said(caplog, TaskLog(), end(TASK))
    assert text.endswith(f": IntegrityError: {own}")


def test_an_error_that_says_much_or_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert len(said(caplog, TaskLog(), fails("long " * 1_000)(TASK))[1]) < 500
    assert said(caplog, TaskLog(), fails("")(TASK))[1].endswith(": OSError")


def test_lines_are_about_the_task() -> None:
    with about_task(TASK):
        assert fields() == {
            "task_id": str(TASK.id),
            "attempt": 1,
            "handler": "reports.build",
            "namespace": "default",
        }
    theirs = make_task(
        namespace="theirs", submitted_by="k1", traceparent=f"00-{TRACE}-b7ad6b7169203331-01"
    )
    with about_task(theirs):
        found = fields()
    assert (found["namespace"], found["key_id"], found["trace_id"]) == ("theirs", "k1", TRACE)
    assert fields() == {}
