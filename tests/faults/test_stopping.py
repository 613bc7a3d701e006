"""The end of the processes: whatever hangs, nobody needs SIGKILL."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.integration.engine.calls import get, submit
from tests.support.children import Child
from tests.support.ports import free_port
from tests.support.processes import ServerProcess, run_server_command
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

SETTINGS = {
    "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
    "TASKQ_HOOK_SECONDS": "2",
    "TASKQ_CANCEL_GRACE_SECONDS": "1",
}
ENDS_WITHIN_SECONDS = 60
BEGINNING = """
import asyncio, subprocess, threading, time
from pathlib import Path
from taskq_server import handler, on_shutdown, on_startup

def begun():
    Path("begun").touch()
"""
START_UP_HANGS = {
    "import": "begun(); time.sleep(3600)",
    "thread": "@on_startup\ndef up(state): begun(); time.sleep(3600)",
    "lock": "@on_startup\ndef up(state): begun(); threading.Event().wait()",
    "program": "@on_startup\ndef up(state): begun(); subprocess.run(['sleep', '100'])",
    "coroutine": "@on_startup\nasync def up(state): begun(); await asyncio.sleep(3600)",
    "deaf": """
@on_startup
async def up(state):
    begun()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
""",
    "blocking": "@on_startup\nasync def up(state): begun(); time.sleep(3600)",
    "busy": "@on_startup\nasync def up(state):\n    begun()\n    while True: pass",
}
SHUT_DOWN_HANGS = {
    "thread": "@on_shutdown\ndef down(state): begun(); time.sleep(3600)",
    "coroutine": "@on_shutdown\nasync def down(state): begun(); await asyncio.sleep(3600)",
    "two": "@on_shutdown\ndef one(state): begun(); time.sleep(3600)\n"
    "@on_shutdown\ndef two(state): Path('second').touch()",
}


@contextmanager
def process(words: list[str], code: str, folder: Path, **settings: str) -> Iterator[ServerProcess]:
    """A process whose handlers are these, on a database of its own."""
    (folder / "hanging.py").write_text(BEGINNING + code)
    given = SETTINGS | {"TASKQ_HANDLERS": "hanging"} | settings
    given["TASKQ_DATABASE_URL"] = f"sqlite+aiosqlite:///{folder / 'taskq.db'}"
    if words[0] == "dev":
        words = [*words, "--port", str(free_port())]
    else:
        assert run_server_command(["db", "upgrade"], given).returncode == 0
    running = ServerProcess(words, given, folder / "log")
    try:
        yield running
    finally:
        running.stop(timeout=5)


def wait_for(path: Path, child: Child) -> None:
    wait_until(path.exists, 60, str(path), 0.05, child.output)


@pytest.mark.parametrize("words", [["dev"], ["worker"]], ids=["dev", "worker"])
@pytest.mark.parametrize("what", START_UP_HANGS)
def test_a_start_that_hangs_can_be_stopped(tmp_path: Path, words: list[str], what: str) -> None:
    with process(words, START_UP_HANGS[what], tmp_path) as running:
        wait_for(tmp_path / "begun", running)
        running.signal(signal.SIGINT)
        assert running.wait(ENDS_WITHIN_SECONDS) == 0, running.output()
    assert "Traceback" not in running.output()


@pytest.mark.parametrize("words", [["dev"], ["worker"]], ids=["dev", "worker"])
@pytest.mark.parametrize("what", SHUT_DOWN_HANGS)
def test_a_shutdown_hook_that_hangs_is_left(tmp_path: Path, words: list[str], what: str) -> None:
    with process(words, SHUT_DOWN_HANGS[what], tmp_path) as running:
        wait_until(lambda: " runs " in running.output(), 60, "work", 0.05, running.output)
        running.signal(signal.SIGTERM)
        assert running.wait(ENDS_WITHIN_SECONDS) == 0, running.output()
    assert (tmp_path / "begun").exists()
    assert (tmp_path / "second").exists() == (what == "two")
    assert "the shutdown hook" in running.output()


def test_a_second_signal_leaves_a_hook_that_hangs(tmp_path: Path) -> None:
    code = SHUT_DOWN_HANGS["thread"]
    with process(["dev"], code, tmp_path, TASKQ_HOOK_SECONDS="600") as running:
        wait_until(lambda: " runs " in running.output(), 60, "work", 0.05, running.output)
        running.signal(signal.SIGINT)
        wait_for(tmp_path / "begun", running)
        running.signal(signal.SIGINT)
        assert running.wait(ENDS_WITHIN_SECONDS) == 0, running.output()


@pytest.mark.parametrize(
    ("kind", "number"), [("sqlite", signal.SIGINT), ("mariadb", signal.SIGTERM)]
)
def test_a_second_signal_ends_the_drain(
    new_stack: NewStack, kind: str, number: signal.Signals
) -> None:
    stack = new_stack(kind, settings={"TASKQ_DRAIN_SECONDS": "600"})  # type: ignore[arg-type]
    task_id = submit(stack, "taskq.sleep", {"seconds": 600}, max_retries=0)
    wait_until(lambda: get(stack, task_id)["status"] == "running", 30, "it runs")
    worker = stack.workers.pop()
    worker.signal(number)
    wait_until(lambda: " drains " in worker.output(), 30, "it drains", 0.05, worker.output)
    worker.signal(number)
    assert worker.wait(ENDS_WITHIN_SECONDS) == 0, worker.output()
    stack.start_worker()
    found = get(stack, task_id)
    assert (found["status"], found["current_retry_count"]) in (("queued", 0), ("running", 0))
    answer = httpx.get(f"{stack.api_url}/tasks/{task_id}/attempts")
    assert answer.json()["items"][0]["outcome"] == "released"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_signal_drains(new_stack: NewStack, kind: str, number: signal.Signals) -> None:
    """So do more of them, if they are those of a terminal that closes."""
    stack = new_stack(kind)  # type: ignore[arg-type]
    task_id = submit(stack, "taskq.sleep", {"seconds": 3}, max_retries=0)
    wait_until(lambda: get(stack, task_id)["status"] == "running", 30, "it runs")
    worker = stack.workers.pop()
    for _ in range(3 if number == signal.SIGHUP else 1):
        worker.signal(number)
    assert worker.wait(ENDS_WITHIN_SECONDS) == 0, worker.output()
    if kind == "sqlite":
        stack.start_worker()
    assert get(stack, task_id)["status"] == "succeeded"


@pytest.mark.parametrize("words", [["dev"], ["api"], ["worker"]], ids=lambda words: words[0])
def test_under_nohup_sighup_is_ignored(tmp_path: Path, words: list[str]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with process(words, "", tmp_path, TASKQ_PORT=str(free_port())) as running:
            is_there = {"dev": "is running", "worker": " runs "}
            if words[0] in is_there:
                said = is_there[words[0]]
                wait_until(lambda: said in running.output(), 60, said, 0.05, running.output)
            running.signal(signal.SIGHUP)
            time.sleep(1)
            assert running.running
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_service_manager_that_tells_every_process_still_has_them_drain(
    new_stack: NewStack,
) -> None:
    """And a terminal: Ctrl-C reaches the parent and its child."""
    stack = new_stack("mariadb")
    task_id = submit(stack, "taskq.sleep", {"seconds": 3}, max_retries=0)
    wait_until(lambda: get(stack, task_id)["status"] == "running", 30, "it runs")
    worker = stack.workers.pop()
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    for pid in [worker.pid, *map(int, children)]:
        os.kill(pid, signal.SIGINT)
    assert worker.wait(ENDS_WITHIN_SECONDS) == 0, worker.output()
    assert get(stack, task_id)["status"] == "succeeded"
