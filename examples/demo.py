"""See taskq work: start all of it in a temporary folder, give it tasks, and stop it again.

    nox -s demo
    nox -s demo -- FOLDER

One task counts the words of each text file of the folder (this repository by default), one fails
twice before it succeeds, and one is cancelled while it runs.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table
from rich.text import Text

from taskq_client import NewTask, Task, TaskHandle, TaskqClient, TaskqError, TaskStatus

ROOT = Path(__file__).resolve().parents[1]
MOST_FILES = 200
MOST_BYTES = 256 * 1024
SHOWN = 8
WIDTH = 32
PATIENCE = 60.0

console = Console()


class DemoError(Exception):
    """Something is not as it should be; the message says what."""


def main(arguments: list[str]) -> int:
    """Run the demo and return the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ["no_proxy"] = "127.0.0.1"  # the server is on this machine
    try:
        folder = Path(arguments[0] if arguments else ROOT).resolve()
        files = text_files(folder)
        with tempfile.TemporaryDirectory(prefix="taskq-demo-") as place:
            with server(Path(place)) as url, TaskqClient(url) as client:
                wait_for_handlers(client)
                show(client, folder, files)
            console.print("Stopped.")
    except (DemoError, TaskqError) as error:
        print(f"The demo failed: {str(error).rstrip('.')}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything is stopped.", file=sys.stderr)
        return 130
    return 0


def show(client: TaskqClient, folder: Path, files: list[Path]) -> None:
    """Submit everything, watch it, and check what came out."""
    sleeping = client.submit("taskq.sleep", {"seconds": 3600}, title="sleep", tags=["special"])
    flaky = client.submit(
        "taskq.flaky",
        {"failures": 2},
        title="fail twice",
        tags=["special"],
        priority="high",
        backoff_base_seconds=0.2,
    )
    counting = client.submit_many(_new_task(folder, path) for path in files)
    with Progress(console=console) as bar:
        row = bar.add_task("counting words", total=len(counting))
        counted = [_ended(task, bar, row) for task in counting]

    wait_until_running(sleeping)
    client.cancel(sleeping)
    sleeping.wait(timeout=PATIENCE)
    flaked = flaky.wait(timeout=PATIENCE)

    expect(all(task.status == TaskStatus.SUCCEEDED for task in counted), "a file was not counted")
    console.print(results(counted))
    console.print("Tasks with the tag [b]special[/b]:")
    tagged = list(client.list(tag="special", order="created_at"))
    console.print(table_of(tagged))
    expect([task.id for task in tagged] == [sleeping.id, flaky.id], "the list by tag is wrong")
    expect(sleeping.status == TaskStatus.CANCELLED, f"the sleep is {sleeping.status}")
    expect(
        (flaked.status, flaked.result, flaked.current_retry_count) == (TaskStatus.SUCCEEDED, 3, 2),
        f"the task that fails twice is {flaked.status} after {flaked.current_retry_count} retries",
    )


def text_files(folder: Path) -> list[Path]:
    """Choose the files to count: text, not hidden, not huge, not too many.

    Raises:
        DemoError: there is none.
    """
    if not folder.is_dir():
        raise DemoError(f"{folder} is not a folder")
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        found += [path for name in sorted(names) if is_text(path := Path(root, name))]
        if len(found) >= MOST_FILES:
            break
    if not found:
        raise DemoError(f"there is no text file in {folder}")
    return found[:MOST_FILES]


def is_text(path: Path) -> bool:
    """Whether this is a visible file of UTF-8 text that is not too large."""
    try:
        if path.name.startswith(".") or not path.is_file() or path.stat().st_size > MOST_BYTES:
            return False
        path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def server(place: Path) -> Iterator[str]:
    """Run `taskq-server dev` on a free port, yield its address, and stop it.

    Raises:
        DemoError: it does not start, or does not end as it should.
    """
    command = ["taskq_server", "dev", "--port", "0", "--data-dir", str(place)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKQ_")}
    log = place / "server.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--handlers", "examples.handlers"],
            cwd=ROOT,
            # Whatever still runs at the end is of no interest here.
            env={**kept, "TASKQ_DRAIN_SECONDS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        address = re.search(r"http://\S+", process.stdout.readline())
        if address is None:
            raise DemoError(f"taskq-server did not start: {_last_line(log)}")
        console.print(f"taskq is running at {address[0]}")
        yield address[0]
    finally:
        status = _stop(process)
    expect(status == 0, f"taskq-server ended with {status}: {_last_line(log)}")


def wait_for_handlers(client: TaskqClient) -> None:
    """Wait until the worker has published what it can run."""
    deadline = time.monotonic() + PATIENCE
    while not any(handler.name == "files.count" for handler in client.handlers()):
        expect(time.monotonic() < deadline, "no worker has published its handlers")
        time.sleep(0.05)


def wait_until_running(task: TaskHandle) -> None:
    """Wait until a worker has taken a task."""
    deadline = time.monotonic() + PATIENCE
    while task.refresh().status != TaskStatus.RUNNING:
        expect(time.monotonic() < deadline, f"no worker has taken the task {task.title}")
        time.sleep(0.05)


def expect(as_it_should_be: bool, otherwise: str) -> None:
    """Check something.

    Raises:
        DemoError: it is not so.
    """
    if not as_it_should_be:
        raise DemoError(otherwise)


def results(counted: list[Task]) -> Table:
    """Show the largest files and the sum of all."""
    table = Table("file", "lines", "words", "most frequent terms", title="Results")
    for column in table.columns[1:3]:
        column.justify = "right"
    ranking = sorted(counted, key=lambda task: -int(task.result["words"]))
    for task in ranking[:SHOWN]:
        count = task.result
        name = task.title if len(task.title) <= WIDTH else f"…{task.title[1 - WIDTH :]}"
        terms = ", ".join(term for term, _ in count["terms"])
        table.add_row(Text(name), f"{count['lines']:,}", f"{count['words']:,}", Text(terms))
    table.add_section()
    lines, words = (sum(task.result[name] for task in counted) for name in ("lines", "words"))
    table.add_row(f"all {len(counted)} files", f"{lines:,}", f"{words:,}")
    return table


def table_of(tasks: list[Task]) -> Table:
    """Show how tasks ended."""
    table = Table("title", "handler", "status", "attempts", "retries charged")
    for task in tasks:
        numbers = str(task.attempt), str(task.current_retry_count)
        table.add_row(task.title, task.handler, str(task.status), *numbers)
    return table


def _new_task(folder: Path, path: Path) -> NewTask:
    return {
        "handler": "files.count",
        "payload": {"path": str(path)},
        "title": str(path.relative_to(folder))[-200:],
        "tags": ["files"],
    }


def _ended(handle: TaskHandle, bar: Progress, row: TaskID) -> Task:
    task = handle.wait(timeout=PATIENCE)
    bar.advance(row)
    return task


def _stop(process: subprocess.Popen[str]) -> int:
    process.terminate()
    try:
        process.communicate(timeout=PATIENCE)
    except BaseException:  # too slow, or interrupted once more
        process.kill()
        raise
    return process.returncode


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
