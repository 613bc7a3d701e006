"""What processes say when they start: lines on a terminal, one line of the log elsewhere."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.processes import ApiProcess, ServerProcess, environment, run_server_command
from tests.support.waiting import wait_until

NOTING = """
import os
from pathlib import Path
from taskq_server import handler, on_startup

@on_startup
def note(state):
    Path("pid").write_text(str(os.getpid()))

@handler("noting.nothing")
def nothing() -> None: ...
"""


def settings(folder: Path) -> dict[str, str]:
    given = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'taskq.db'}",
        "TASKQ_REDIS_URL": "redis://me:S3CRET@127.0.0.1:1/0",
    }
    assert run_server_command(["db", "upgrade"], given).returncode == 0
    return given


def announced(process: ServerProcess, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in process.output().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"].startswith(event)]


def test_a_worker_says_what_it_runs_once_and_not_again_for_each_child(tmp_path: Path) -> None:
    (tmp_path / "noting.py").write_text(NOTING)
    words = ["worker", "--handlers", "noting", "--queues", "a,b", "--concurrency", "7"]
    unknown = {"TASKQ_CONCURENCY": "5"}
    worker = ServerProcess(words, settings(tmp_path) | unknown, tmp_path / "log")
    try:
        wait_until(lambda: " runs " in worker.output(), 180, "it runs", 0.05, worker.output)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        wait_until(lambda: worker.output().count(" runs ") == 2, 180, "again", 0.05, worker.output)
    finally:
        assert worker.stop() == 0, worker.output()
    (said,) = announced(worker, "taskq worker is starting")
    assert (said["level"], said["queues"], said["concurrency"]) == ("info", ["a", "b"], 7)
    assert (said["handlers"], said["namespaces"]) == (["noting.nothing"], ["default"])
    assert said["redis"] == "redis://127.0.0.1:1/0"
    assert said["database"] == "taskq.db"  # below its folder
    assert "S3CRET" not in worker.output()
    assert worker.output().count("TASKQ_CONCURENCY means nothing") == 1
    (ended,) = announced(worker, "taskq worker has ended after ")
    assert (ended["level"], ended["seconds"] > 0) == ("info", True)


def test_an_api_says_where_it_listens(tmp_path: Path) -> None:
    api = ApiProcess(["api"], settings(tmp_path), tmp_path / "log", free_port())
    try:
        api.wait_ready()
    finally:
        assert api.stop() == 0, api.output()
    (said,) = announced(api, "taskq API is running: ")
    assert said["event"] == f"taskq API is running: {api.url}"
    assert (said["docs"], said["namespace"]) == (f"{api.url}/docs", "default")
    assert said["revision"]
    assert said["access"] == "open on this machine until the first key is made"
    assert (said["auth"], said["database"]) == ("auto", "taskq.db")
    assert said["redis"] == "redis://127.0.0.1:1/0"
    assert said["version"]
    assert "S3CRET" not in api.output()
    assert [line["event"][:25] for line in announced(api, "taskq API has ended")] == [
        "taskq API has ended after"
    ]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("command", ["api", "worker"])
def test_the_form_of_the_log_is_a_setting(tmp_path: Path, command: str, form: str) -> None:
    (tmp_path / "noting.py").write_text(NOTING)
    given = {**settings(tmp_path), "TASKQ_LOG_FORMAT": form, "TASKQ_HANDLERS": "noting"}
    words = {"api": ["api", "--port", "0"], "worker": ["worker"]}[command]
    process = ServerProcess(words, given, tmp_path / "log")
    try:
        wait_until(lambda: "revision" in process.output(), 60, "it runs", 0.05, process.output)
    finally:
        assert process.stop() == 0, process.output()
    lines = process.output().splitlines()
    assert len(lines) > 1
    assert {line.startswith("{") for line in lines} == {form == "json"}
    assert "\x1b" not in process.output()


def test_a_form_that_there_is_not_is_refused_with_a_sentence(tmp_path: Path) -> None:
    for words in (["worker"], ["api"]):
        done = run_server_command(words, {"TASKQ_LOG_FORMAT": "xml"})
        assert done.returncode == 78
        (line,) = done.stderr.splitlines()[-1:]
        assert line == (
            "taskq-server: TASKQ_LOG_FORMAT: Input should be 'auto', 'json' or 'console'"
        )


def test_on_a_terminal_dev_fits_its_width_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "taskq_server", "dev", "--port", "0"],
        env=environment({"COLUMNS": "60", "NO_COLOR": "1", "TASKQ_LOG_LEVEL": "WARNING"}),
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = ""
    try:
        while "twice" not in shown:
            shown += os.read(ours, 4096).decode()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(60)
        os.close(ours)
    lines = shown.splitlines()
    assert lines[0].startswith("taskq is running: http://127.0.0.1:")
    assert "  handlers     3: taskq.echo, taskq.flaky, taskq.sleep" in lines
    assert "  database     .taskq/taskq.db" in lines
    assert "  access       open on this machine until the first key is" in lines
    assert "  redis        embedded" in lines
    assert max(map(len, lines)) <= 60
    assert "\x1b" not in shown
