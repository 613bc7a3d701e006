"""Workers and what starts them: what a service manager hears, and workers without a supervisor."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taskq_server.core.service_manager import ServiceManager
from taskq_server.worker.liveness.supervisor import Supervisor
from tests.integration.engine.calls import get, submit
from tests.support.processes import ServerProcess, environment, run_server_command
from tests.support.service_manager import NotifySocket
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

CODE = """
import os
from pathlib import Path
from taskq_server import on_startup

@on_startup
def up(state):
    said = sorted(name for name in os.environ if "NOTIFY" in name or "WATCHDOG" in name)
    Path("up").write_text(f"{os.getpid()} {said}")
"""


@contextmanager
def worker(folder: Path, notify: NotifySocket, *words: str, **more: str) -> Iterator[ServerProcess]:
    """A worker of a service manager, on a database of its own, without Redis."""
    (folder / "noting.py").write_text(CODE)
    settings = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'taskq.db'}",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
        "TASKQ_HANDLERS": "noting",
        "PYTHONPATH": os.pathsep.join([str(folder), environment({})["PYTHONPATH"]]),
        "NOTIFY_SOCKET": notify.address,
        **more,
    }
    assert run_server_command(["db", "upgrade"], settings).returncode == 0
    process = ServerProcess(["worker", *words], settings, folder / "log")
    try:
        yield process
    finally:
        process.stop()


@pytest.mark.parametrize("words", [[], ["--no-supervisor"]], ids=["supervised", "alone"])
@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_a_service_manager_hears_when_a_worker_takes_tasks_and_when_it_ends(
    tmp_path: Path, words: list[str], kind: str
) -> None:
    with (
        NotifySocket(tmp_path if kind == "path" else None) as notify,
        worker(tmp_path, notify, *words) as process,
    ):
        assert notify.wait_for("READY=1") == ["READY=1"]
        assert " runs " in process.output()
        process.signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert notify.wait_for("STOPPING=1") == ["READY=1", "STOPPING=1"]
        pid, _, variables = (tmp_path / "up").read_text().partition(" ")
        assert variables == "[]"
        assert (int(pid) == process.pid) == (words != [])


@pytest.mark.parametrize("words", [[], ["--no-supervisor"]], ids=["supervised", "alone"])
def test_a_watchdog_gets_signs_of_life(tmp_path: Path, words: list[str]) -> None:
    with NotifySocket(tmp_path) as notify, worker(tmp_path, notify, *words, WATCHDOG_USEC="900000"):
        notify.wait_for("READY=1")
        notify.wait_for_signs(notify.heard.count("WATCHDOG=1") + 3)


def test_signs_of_life_go_on_while_a_worker_ends_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor pauses longer and longer before it starts another one."""
    monkeypatch.setattr(sys, "argv", ["taskq-server", "--version"])
    with NotifySocket(tmp_path) as notify:
        supervisor = Supervisor(manager=ServiceManager(notify.address, watchdog_seconds=0.9))
        keeping = threading.Thread(target=supervisor.keep)
        keeping.start()
        try:
            notify.wait_for_signs(1)
            gaps, began = [0.0], time.monotonic()
            while sum(gaps) < 15:
                notify.wait_for_signs(len(notify.heard) + 1)
                gaps.append(time.monotonic() - began - sum(gaps))
        finally:
            supervisor.tell(1)
            keeping.join()
    assert max(gaps) < 3, "the fourth pause takes 3.2 s, and the next ones 5 s"


def test_a_worker_alone_that_cannot_work_says_so(tmp_path: Path) -> None:
    settings = {"TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}"}
    done = run_server_command(["worker", "--no-supervisor"], settings)
    assert done.returncode == os.EX_CONFIG
    assert "TASKQ_REDIS_URL" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_worker_alone_ends_when_a_handler_is_stuck(new_stack: NewStack) -> None:
    """Kubernetes, or whatever runs it, starts it again."""
    settings = {"TASKQ_HANDLERS": "tests.support.leaving", "TASKQ_CANCEL_GRACE_SECONDS": "0.5"}
    stack = new_stack("mariadb", settings=settings, workers=0)
    alone = stack.start_worker(None, "--no-supervisor")
    stack.wait_for_handlers()
    task_id = submit(stack, "leaving.deaf", {})
    assert alone.wait(60) == os.EX_TEMPFAIL, alone.output()
    assert get(stack, task_id)["status"] == "failed"


def test_a_worker_alone_ends_when_its_event_loop_is_blocked(new_stack: NewStack) -> None:
    settings = {"TASKQ_HANDLERS": "tests.support.leaving", "TASKQ_BLOCK_SECONDS": "1"}
    stack = new_stack("mariadb", settings=settings, workers=0)
    alone = stack.start_worker(None, "--no-supervisor")
    stack.wait_for_handlers()
    submit(stack, "leaving.block", {})
    assert alone.wait(60) == os.EX_SOFTWARE, alone.output()


def test_a_worker_alone_that_drains_with_a_stuck_handler_ends_well(new_stack: NewStack) -> None:
    settings = {"TASKQ_HANDLERS": "tests.support.leaving", "TASKQ_CANCEL_GRACE_SECONDS": "0.5"}
    stack = new_stack("mariadb", settings={**settings, "TASKQ_DRAIN_SECONDS": "0"}, workers=0)
    alone = stack.start_worker(None, "--no-supervisor")
    stack.wait_for_handlers()
    task_id = submit(stack, "leaving.deaf", {}, timeout_seconds=600)
    wait_until(lambda: get(stack, task_id)["status"] == "running", 60, "it runs")
    alone.signal(signal.SIGTERM)
    assert alone.wait(60) == 0, alone.output()
