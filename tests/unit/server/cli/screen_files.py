"""What `taskq-server` shows, kept in text files: `TASKQ_TEST_WRITE_SCREENS=1` writes them anew."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from taskq_server.cli import cli

SCREENS = Path(__file__).parent / "screens"


def shown(*words: str, columns: int = 80) -> Result:
    """Run a command that ends by itself in this process, as on a terminal of this width."""
    with _own_log():
        return CliRunner().invoke(
            cli,
            words,
            env={"COLUMNS": str(columns)},
            prog_name="taskq-server",
            terminal_width=columns - 2,  # as click itself does; its runner forces 80 columns
            color=False,
        )


@contextmanager
def _own_log() -> Iterator[None]:
    """Undo what a command does to the log of its process."""
    root = logging.getLogger()
    level, handlers, hook = root.level, root.handlers[:], threading.excepthook
    try:
        yield
    finally:
        logging.captureWarnings(False)
        threading.excepthook = hook
        root.setLevel(level)
        root.handlers[:] = handlers


def compare(shown: str, name: str, columns: int) -> None:
    """Compare with a file, and check that no line is wider than the terminal."""
    path = SCREENS / f"{name}.{columns}.txt"
    if os.environ.get("TASKQ_TEST_WRITE_SCREENS"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")
    assert max(map(len, shown.splitlines())) <= columns
