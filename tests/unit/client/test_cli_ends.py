"""Each end of the command `taskq`, as a process: streams that break, signals, and its exit code."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from taskq_client.cli.exit_codes import code_of
from taskq_client.errors import TaskqError
from tests.unit.client.support import wire_task

ID = "0198c0de-0000-7000-8000-000000000001"
WAITING = f"{ID[:-1]}0"
ENDED = wire_task(id=ID, status="succeeded", result="x" * 100_000, payload={"a": "b" * 100_000})
PAGE = {"items": [{**ENDED, "title": "t" * 250}] * 200, "next_cursor": None}
TASKQ = [sys.executable, "-c", "from taskq_client.cli import main; main()"]
LIMIT = 60


class Answers(BaseHTTPRequestHandler):
    """A server that has one task, which has ended; whoever waits for another one waits."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("0"):
            server = self.server
            assert isinstance(server, Server)
            server.asked.set()
            server.released.wait(LIMIT)
        if path.endswith("/events"):
            self._answer(f"id: 1\ndata: {json.dumps(ENDED)}\n\n", "text/event-stream")
        else:
            found: Any = {"items": []} if path in ("/handlers", "/tags") else ENDED
            self._answer(json.dumps(PAGE if path == "/tasks" else found))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(json.dumps(ENDED), status=201)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, text: str, kind: str = "application/json", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(text.encode())


class Server(ThreadingHTTPServer):
    """The server, and whether it was asked for the task that does not end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked, self.released = threading.Event(), threading.Event()


@pytest.fixture(autouse=True)
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command as its users do: what a stream holds back is written once more at the end."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """A pipe that takes nothing more, and whose reader does not read."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"\0" * 4096)
    yield writer
    os.close(reader)
    os.close(writer)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("TASKQ_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.released.set()
        server.shutdown()


def in_shell(words: str, **variables: str) -> tuple[int, bytes, str]:
    """Run the command with a shell's redirections; return its exit code, stdout and stderr."""
    script = f'"$@" {words}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *TASKQ],
        capture_output=True,
        env={**os.environ, **variables},
        timeout=LIMIT,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


WRITING = ["list --json", f"events {ID}", "list --watch", "submit h --wait", "run h", "--help"]


@pytest.mark.parametrize("command", WRITING)
def test_a_full_disk_is_one_sentence_and_no_failed_task(command: str, server: Server) -> None:
    code, _, said = in_shell(f"{command} >/dev/full")

    assert (code, said.count("\n")) == (6, 1)
    assert "cannot write the output: No space left on device; send it elsewhere" in said


@pytest.mark.parametrize("command", WRITING)
def test_a_reader_that_went_away_is_silence_and_no_failed_task(
    command: str, server: Server
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*TASKQ, *command.split()],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=LIMIT,
        check=False,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, b"")


def test_a_pipe_that_takes_nothing_more_is_a_disk_that_is_full(
    server: Server, full_pipe: int
) -> None:
    command = [*TASKQ, "list"]
    done = subprocess.run(
        command, stdout=full_pipe, stderr=subprocess.PIPE, timeout=LIMIT, check=False
    )

    assert (done.returncode, done.stderr.count(b"\n")) == (6, 1)


def test_a_watched_list_ends_when_its_reader_does(server: Server) -> None:
    command = [*TASKQ, "list", "--watch=0.1", "--limit=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stdout.readline()  # there will be no second one, since nothing changes
            process.stdout.close()
            assert process.wait(LIMIT) == 141
            assert process.stderr.read() == b""
        finally:
            process.kill()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["run h", "completion fish"])
def test_streams_may_be_closed(command: str, closed: str, server: Server) -> None:
    code, printed, said = in_shell(f"{command} {closed}")

    assert (code, said) == (0, "")
    assert bool(printed) == (">&-" not in closed.split())


@pytest.mark.parametrize("closed", [">&-", "2>&-", "2>/dev/full", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize(
    ("command", "code"), [("get abc", 2), (f"--url http://127.0.0.1:1 get {ID}", 4)]
)
def test_an_error_keeps_its_exit_code_when_nobody_hears_it(
    command: str, code: int, closed: str
) -> None:
    ended, printed, said = in_shell(f"{command} {closed}")

    assert (ended, printed) == (code, b"")
    assert said.count("\n") == (0 if "2>" in closed else 1)


@pytest.mark.parametrize("stdin", ["<&-", "0>/dev/null"])
def test_a_payload_that_cannot_be_read_is_a_usage_error(stdin: str) -> None:
    code, _, said = in_shell(f"submit h - {stdin}")

    assert (code, said.count("\n")) == (2, 1)
    assert "stdin" in said


def test_completion_owns_its_exits_too(server: Server) -> None:
    asked = {"_TASKQ_COMPLETE": "zsh_source"}
    assert in_shell("", **asked)[0] == 0
    assert in_shell(">/dev/full", **asked)[0] == 6
    assert in_shell("", _TASKQ_COMPLETE="nonsense")[0] == 2


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, b"taskq: interrupted; a task that was submitted goes on.\n"),
        (signal.SIGTERM, 143, b""),
    ],
)
def test_a_signal_ends_it_with_the_code_of_the_signal(
    number: int, code: int, said: bytes, server: Server
) -> None:
    with subprocess.Popen([*TASKQ, "wait", WAITING], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            assert server.asked.wait(LIMIT)
            process.send_signal(number)
            assert process.wait(LIMIT) == code
            assert process.stderr.read() == said
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_while_nobody_reads_the_sentence(
    number: int, code: int, server: Server, full_pipe: int
) -> None:
    os.set_blocking(full_pipe, True)
    with subprocess.Popen([*TASKQ, "wait", WAITING], stderr=full_pipe) as process:
        try:
            assert server.asked.wait(LIMIT)
            process.send_signal(signal.SIGINT)
            for _ in range(LIMIT):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1)
                process.send_signal(number)
            assert process.poll() == code
        finally:
            process.kill()


@pytest.mark.parametrize("module", ["click", "httpx"])
def test_ctrl_c_while_it_loads_is_silent(module: str) -> None:
    script = (
        "import os, signal, sys\n"
        "class Press:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Press())\n"
        "from taskq_client.cli import main\n"
        "main(['--version'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=LIMIT, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_terminal_is_left_as_it_was(server: Server) -> None:
    terminal, theirs = pty.openpty()
    with subprocess.Popen([*TASKQ, "list", "--watch"], stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"\x1b[?25l" not in shown or ID[:8].encode() not in shown:
            shown += os.read(terminal, 65_536)
        process.terminate()
        with suppress(OSError):  # a terminal whose other side has ended is an error on Linux
            while piece := os.read(terminal, 65_536):
                shown += piece
        assert process.wait(LIMIT) == 143
    os.close(terminal)

    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_a_bug_has_an_exit_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def buggy() -> int:
        raise KeyError("secret\x1b")

    assert code_of(buggy) == 70
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith(
        "taskq: a bug in this command: KeyError; report it with the lines above.\n"
    )


def test_no_error_of_the_client_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise TaskqError("of a kind that is new")

    assert code_of(fail) == 3
    assert capsys.readouterr().err.startswith("taskq: of a kind that is new; ")
