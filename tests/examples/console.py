"""Running the commands of a page in a terminal of 80 columns."""

import fcntl
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.examples.documents import Block
from tests.examples.outputs import Ids

LIMIT = 60
_SIZE = struct.pack("HHHH", 24, 80, 0, 0)
_SERVER = re.compile(r"taskq-server (?:dev|api|worker)\b")
_ALLOWED = ("taskq", "taskq-server", "python", "curl", "cat", "ls", "export")
_READERS_PORT = "8000"


@dataclass(frozen=True)
class Step:
    """A command, and what the page says that it prints."""

    command: str
    said: str


def steps(code: str) -> Iterator[Step]:
    """Return the commands of a block; one that ends with a backslash goes on in the next line."""
    first, *parts = re.split(r"^\$ ", code, flags=re.MULTILINE)
    assert first == "", "a console block begins with a command, a line with `$ ` in front"
    for part in parts:
        match = re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.DOTALL)
        assert match is not None
        yield Step(match[1], match[2])


class Console:
    """The shell of a page's reader.

    Args:
        folder: where its commands run.
        environment: what they get.
        port: the free port for a server of the page, which shows 8000.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], port: int) -> None:
        self._folder = folder
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        here = {"PATH": path, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "80"}
        self._environment = {**environment, **here, "TASKQ_PORT": str(port)}
        self._port = str(port)
        self._ids = Ids()

    def run(self, block: Block) -> None:
        """Run a block; raise AssertionError where something else is printed than is said."""
        with ExitStack() as servers:
            for step in steps(block.code):
                word = shlex.split(step.command)[0]
                assert word in _ALLOWED, f"{block}: {word} is for a bash block: it is not run"
                if word == "export":
                    name, _, value = shlex.split(step.command)[1].partition("=")
                    self._environment[name] = value
                elif _SERVER.match(step.command):
                    servers.enter_context(self._serving(step))
                else:
                    self._run(step)

    def _run(self, step: Step) -> None:
        command = self._ids.in_command(step.command)
        with self._terminal() as (ours, theirs), tempfile.TemporaryFile() as errors:
            process = self._start(command, stdout=theirs, stderr=errors.fileno())
            os.close(theirs)
            printed = "".join(_pieces(ours, time.monotonic() + LIMIT))
            status = process.wait(LIMIT)
            errors.seek(0)
            printed += errors.read().decode()
        assert self._ids.matches(step.said, printed), f"$ {command}\n{printed}"
        assert status == 0 or step.said, f"$ {command}\nexit status {status}"

    @contextmanager
    def _serving(self, step: Step) -> Iterator[None]:
        with self._terminal() as (ours, theirs):
            process = self._start(step.command, stdout=theirs, stderr=theirs)
            os.close(theirs)
            try:
                printed = ""
                for piece in _pieces(ours, time.monotonic() + LIMIT):
                    printed += piece.replace(f":{self._port}", f":{_READERS_PORT}")
                    if self._ids.matches(step.said, printed, more=True):
                        break
                else:
                    raise AssertionError(f"$ {step.command}\n{printed}")
                yield
            finally:
                process.terminate()
                with suppress(OSError):  # the end of a terminal
                    while os.read(ours, 65_536):
                        pass
                assert process.wait(LIMIT) == 0

    def _start(self, command: str, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["bash", "-c", f"exec {command}" if _SERVER.match(command) else command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )

    @contextmanager
    def _terminal(self) -> Iterator[tuple[int, int]]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, _SIZE)
        try:
            yield ours, theirs
        finally:
            os.close(ours)


def _pieces(terminal: int, until: float) -> Iterator[str]:
    """Return what a program prints, up to its end or to a time."""
    with suppress(OSError):  # a terminal whose other side has ended is an error on Linux
        while time.monotonic() < until:
            if select.select([terminal], [], [], 1)[0]:
                piece = os.read(terminal, 65_536)
                if not piece:
                    return
                yield piece.decode("utf-8", "replace").replace("\r\n", "\n")
