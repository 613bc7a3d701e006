"""A handler with a queue of its own, from the command line to the worker that runs it."""

import os
import subprocess
import sys
from pathlib import Path

from taskq_client import TaskqClient
from tests.support.stack import NewStack
from tests.support.waiting import wait_until

LETTERS = """
from taskq_server import Context, handler

@handler("letters.write", queue="letters", priority="low", tags=["letter"])
async def write(context: Context, copies: int = 0) -> list[str]:
    return [str(await context.submit("letters.write")) for _ in range(copies)]
"""


def taskq(url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from taskq_client.cli import main; main()", *words]
    environment = {**os.environ, "TASKQ_URL": url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_its_tasks_and_their_children_go_there(new_stack: NewStack, tmp_path: Path) -> None:
    (tmp_path / "letters.py").write_text(LETTERS, encoding="utf-8")
    stack = new_stack("mariadb", workers=0)
    ours = {"TASKQ_HANDLERS": "letters", "PYTHONPATH": str(tmp_path)}
    deaf = stack.start_worker(ours)
    with TaskqClient(stack.api_url) as client:
        wait_until(lambda: bool(client.workers()), 60, "it has started")
        wait_until(lambda: bool(client.handlers()), 60, "it has published")
        done = taskq(stack.api_url, "submit", "letters.write", "copies:=2")
        assert done.returncode == 0
        said = "taskq: no live worker listens to queue letters; the task waits until one does.\n"
        assert done.stderr == said
        task = client.get(done.stdout.strip())
        assert (task.status, task.queue, task.priority) == ("queued", "letters", "low")
        assert "tasks of letters.write go to queue letters" in deaf.output()
        stack.start_worker(ours, "--queue", "letters=1")
        children = client.wait(task, timeout=120).result
        for child in client.wait_all(children, timeout=120):
            assert (child.status, child.queue) == ("succeeded", "letters")
            assert (child.priority, child.tags) == ("low", ["letter"])

        def is_known() -> bool:
            done = taskq(stack.api_url, "run", "letters.write")
            assert (done.returncode, done.stdout) == (0, "[]\n")
            return not done.stderr

        # Whether a queue has a listener is answered from a memory that is two seconds old.
        wait_until(is_known, 60, "the API knows that a worker listens")
