"""`taskq-server dev --reload`: what happens when files of handlers change, and at the end."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.engine.calls import get, submit
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, environment, run_server_command
from tests.support.waiting import wait_until

MODULE = """
import os, time
from pathlib import Path
from beside import WORD
from taskq_server import Context, handler

@handler("jobs.who")
def who() -> list:
    return [WORD, os.getpid()]

@handler("jobs.hold")
def hold(context: Context, name: str) -> str:
    Path(f"{name}.held").touch()
    while not Path(f"{name}.free").exists() and not context.cancelled:
        time.sleep(0.02)
    return WORD
"""
LATER = "\n@handler('jobs.later')\ndef later() -> str:\n    return WORD\n"
NO_PYTHON = "def (:\n"


class Dev:
    """A `dev --reload` in a folder with two modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("beside", "WORD = 'old'\n")
        self.write("jobs", MODULE)
        words = ["dev", "--reload", "--handlers", "jobs"]
        self.process = ApiProcess(words, {}, folder / "log", free_port())
        self.api: Any = SimpleNamespace(api_url=self.process.url)

    def write(self, module: str, code: str) -> None:
        """Replace a file at once, as editors do."""
        (self.folder / "new").write_text(code)
        (self.folder / "new").rename(self.folder / f"{module}.py")

    def wait_for(self, words: str, times: int = 1) -> None:
        def said() -> bool:
            assert self.process.running, self.process.output()
            return self.process.output().count(words) >= times

        wait_until(said, 120, words, 0.05, self.process.output)

    def run(self, handler: str, **payload: object) -> Any:
        task = get(self.api, submit(self.api, handler, payload), wait=60)
        assert task["status"] == "succeeded", (task, self.process.output())
        return task["result"]


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    running = Dev(tmp_path)
    try:
        running.wait_for("taskq is running: ")
        yield running
    finally:
        running.process.stop()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")  # a zombie runs no more, whoever should have reaped it
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_change_is_run_at_once_while_what_runs_is_finished_by_the_old_code(dev: Dev) -> None:
    word, old = dev.run("jobs.who")
    assert word == "old"
    held = submit(dev.api, "jobs.hold", {"name": "a"}, max_retries=0)
    wait_until((dev.folder / "a.held").exists, 180, "it runs", 0.05, dev.process.output)
    dev.write("beside", "WORD = 'new'\n")  # no handler is in there, but handlers import it
    dev.wait_for("the worker starts again: beside.py has changed")
    dev.wait_for("5 handlers: jobs.hold, jobs.who, ")
    dev.wait_for(" runs 5 handlers", times=2)
    word, new = dev.run("jobs.who")
    assert (word, new != old) == ("new", True)
    (dev.folder / "a.free").touch()
    task = get(dev.api, held, wait=60)
    assert (task["status"], task["result"], task["attempt"]) == ("succeeded", "old", 1)
    wait_until(lambda: is_gone(old), 180, "the old worker ends", 0.05)
    dev.write("jobs", MODULE + LATER)
    dev.wait_for("6 handlers: jobs.hold, jobs.later, jobs.who, ")
    dev.wait_for(" runs 6 handlers")
    wait_until(lambda: is_gone(new), 180, "the second one ends, too", 0.05)
    assert dev.run("jobs.later") == "new"
    assert dev.process.stop() == 0, dev.process.output()


def test_code_that_cannot_be_imported_is_one_message_and_waits_for_the_next_change(
    dev: Dev,
) -> None:
    assert dev.run("jobs.who")[0] == "old"
    dev.write("beside", NO_PYTHON)
    dev.wait_for("no worker runs: another one starts when a file has changed")
    said = [line for line in dev.process.output().splitlines() if "cannot import" in line]
    assert len(said) == 1
    assert "taskq-server: cannot import the handlers in jobs: SyntaxError: " in said[0]
    assert "beside.py, line 1" in said[0]
    waiting = submit(dev.api, "jobs.who", {})
    dev.write("beside", "WORD = 'mended'\n")
    assert get(dev.api, waiting, wait=60)["result"][0] == "mended"
    assert dev.process.output().count("no worker runs") == 1
    assert "Traceback" not in dev.process.output()


def test_a_second_change_has_what_still_drains_handed_back(dev: Dev) -> None:
    held = submit(dev.api, "jobs.hold", {"name": "b"}, max_retries=0)
    wait_until((dev.folder / "b.held").exists, 180, "it runs", 0.05, dev.process.output)
    for number, word in enumerate(("first", "second"), 1):
        dev.write("beside", f"WORD = '{word}'\n")
        dev.wait_for("the worker starts again: ", number)
    (dev.folder / "b.free").touch()
    task = get(dev.api, held, wait=60)
    assert (task["status"], task["current_retry_count"]) == ("succeeded", 0)


@pytest.mark.parametrize("moment", ["while it starts", "while it reloads", "while nothing runs"])
def test_ctrl_c_ends_everything_at_a_bad_moment(tmp_path: Path, moment: str) -> None:
    dev = Dev(tmp_path)
    pids = []
    try:
        if moment == "while it starts":
            wait_until((tmp_path / ".taskq" / "lock").exists, 180, "it starts", 0.01)
        else:
            dev.wait_for("taskq is running: ")
            pids.append(dev.run("jobs.who")[1])
            dev.write("beside", NO_PYTHON if moment == "while nothing runs" else "WORD = 'new'\n")
            dev.wait_for("no worker runs" if moment == "while nothing runs" else "starts again")
        os.killpg(dev.process.pid, signal.SIGINT)  # as a terminal does
        assert dev.process.wait(60) == 0, dev.process.output()
    finally:
        dev.process.stop()
    assert all(map(is_gone, pids))
    assert "Traceback" not in dev.process.output()


def children(pid: int) -> list[int]:
    """The processes that one has started, directly or not."""
    words = ["ps", "-A", "-o", "pid=,ppid="]
    listed = subprocess.run(words, capture_output=True, text=True, timeout=180, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    own = [child for child, parent in pairs if parent == pid]
    return own + [each for child in own for each in children(child)]


def test_nothing_outlives_a_killed_parent(dev: Dev) -> None:
    worker = dev.run("jobs.who")[1]
    submit(dev.api, "jobs.hold", {"name": "c"})
    wait_until((dev.folder / "c.held").exists, 180, "it runs", 0.05, dev.process.output)
    dev.write("beside", "WORD = 'new'\n")
    dev.wait_for("the worker starts again")  # so one drains, and another one starts
    started = children(dev.process.pid)
    assert worker in started
    assert len(started) >= 3  # and Redis
    dev.process.kill()
    wait_until(lambda: all(map(is_gone, started)), 180, f"{started} are gone", 0.05)


def test_a_worker_that_dies_is_started_again(dev: Dev) -> None:
    worker = dev.run("jobs.who")[1]
    os.kill(worker, signal.SIGKILL)
    assert dev.run("jobs.who")[1] != worker


def test_a_missing_watchfiles_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "watchfiles.py").write_text("raise ImportError\n")
    path = os.pathsep.join([str(tmp_path), environment({})["PYTHONPATH"]])
    words = ["dev", "--reload", "--data-dir", str(tmp_path / "data")]
    done = run_server_command(words, {"PYTHONPATH": path})
    assert (done.returncode, done.stdout) == (os.EX_CONFIG, "")
    says = "taskq-server: --reload needs watchfiles: install taskq-server[embedded]\n"
    assert done.stderr == says
