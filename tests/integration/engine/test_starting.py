"""How processes start: in which folders, with which streams and handlers, and how they refuse."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.children import Child
from tests.support.ports import free_port
from tests.support.processes import ServerProcess, environment, run_server_command
from tests.support.waiting import wait_until

NO_SERVERS = {"TASKQ_REDIS_URL": "redis://127.0.0.1:1/0"}
AT_IMPORT = {
    "exit": "import sys; sys.exit(0)",
    "exit_with_words": "import sys; sys.exit('usage: script FILE')",
    "script": "import argparse; argparse.ArgumentParser().parse_args(['--what'])",
    "interrupt": "raise KeyboardInterrupt",
    "base": "class Odd(BaseException): pass\nraise Odd('two\\nlines')",
    "unprintable": "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
    "syntax": "def (:",
    "null": "\0",
    "recursion": "def f(): f()\nf()",
    "generator": "raise GeneratorExit",
    "group": "raise ExceptionGroup('several', [ValueError('a'), ValueError('b')])",
}
EMPTY = "from taskq_server import handler\n"
ONE = "from taskq_server import handler\n@handler('{0}')\ndef {0}() -> int: return 1\n"


def run_worker(folder: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    database = f"sqlite+aiosqlite:///{folder / 'taskq.db'}"
    given = {"TASKQ_DATABASE_URL": database, "PYTHONPATH": str(folder)} | NO_SERVERS | settings
    return run_server_command(["worker", *words], given)


@pytest.mark.parametrize("what", AT_IMPORT)
def test_handlers_that_cannot_be_imported_are_one_sentence(tmp_path: Path, what: str) -> None:
    (tmp_path / "broken.py").write_text(AT_IMPORT[what])
    done = run_worker(tmp_path, "--handlers", "broken")
    assert done.returncode == os.EX_CONFIG, done
    said = done.stderr.strip().splitlines()
    assert said[-1].startswith("taskq-server: cannot import the handlers in broken: ")
    assert len([line for line in said if "taskq-server: " in line]) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("api", "QUEUES", "a b"),
        ("worker", "QUEUES", "a b"),
        ("dev", "QUEUES", "a b"),
        ("db", "QUEUES", "a b"),
        ("api", "PORT", "http"),
        ("worker", "LOG_LEVEL", "loud"),
        ("dev", "INSECURE_NO_AUTH", "perhaps"),
        ("db", "DATABASE_URL", "mysql+asyncmy://me@db/taskq?sslmode=require"),
        ("api", "REDIS_URL", "redis://cache/0?foo=bar"),
        ("worker", "THREADS", "many"),
        ("worker", "NAMESPACES", "a b"),
        ("dev", "NAMESPACES", "another,and another"),
        ("dev", "NAMESPACES", "all,but-the-one-of-the-api"),
        ("db", "PORT", "http"),
    ],
)
def test_a_variable_that_cannot_work_is_one_sentence(command: str, name: str, value: str) -> None:
    """Whether the command needs it or not: all of them read all variables in one place."""
    words = ["db", "current"] if command == "db" else [command]
    done = run_server_command(words, {f"TASKQ_{name}": value})
    assert done.returncode == os.EX_CONFIG, done
    assert done.stderr.startswith(f"taskq-server: TASKQ_{name}: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["api", "worker", "dev", "db"])
def test_no_variable_is_read_that_nobody_documents(command: str, tmp_path: Path) -> None:
    words = ["db", "current"] if command == "db" else [command]
    settings = {
        "TASKQ_VERSION": "1",
        "TASKQ_HELP": "1",
        "TASKQ_PORT": "tcp://10.0.0.1:8000",
        "TASKQ_SERVICE_HOST": "10.0.0.1",
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'no' / 'taskq.db'}",
        "TASKQ_HANDLERS": "no_such_module",
        "TASKQ_DATA_DIR": str(tmp_path / "data"),
    }
    done = run_server_command(words, settings)
    assert "TASKQ_VERSION means nothing" in done.stderr
    assert "TASKQ_HELP means nothing" in done.stderr
    assert "TASKQ_PORT" not in done.stderr
    assert "TASKQ_SERVICE_HOST" not in done.stderr
    assert done.returncode == (0 if command == "db" else os.EX_CONFIG)


def started(folder: Path, *words: str, **settings: str) -> ServerProcess:
    (folder / "work").mkdir()
    arguments = ["dev", "--port", str(free_port()), *words]
    process = ServerProcess(arguments, settings, folder / "work" / "log")
    try:
        wait_until(
            lambda: " runs " in process.output() or not process.running, 180, "it runs", 0.05
        )
    except BaseException:
        process.stop()
        raise
    return process


def test_handlers_may_be_named_twice_and_a_module_without_any_is_said(tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        (tmp_path / f"{name}.py").write_text(ONE.format(name))
    (tmp_path / "nothing.py").write_text(EMPTY)
    words = ("--handlers", "first,second", "--handlers", "third", "--handlers", "nothing")
    path = os.pathsep.join([str(tmp_path), environment({})["PYTHONPATH"]])
    process = started(tmp_path, *words, PYTHONPATH=path, TASKQ_BUILTIN_HANDLERS="false")
    try:
        assert "runs 3 handlers" in process.output()
        assert "the module nothing has no handlers and no hooks" in process.output()
    finally:
        assert process.stop() == 0


NAMES = ["d?a=1", "d%20x", "d x#y", "é:@&", "d'\"$`\\"]


@pytest.mark.parametrize("name", [*NAMES, "x" * 100])
def test_the_data_folder_and_the_temporary_one_may_have_any_name(tmp_path: Path, name: str) -> None:
    temporary = tmp_path / name
    temporary.mkdir()
    process = started(tmp_path, "--data-dir", name, TMPDIR=str(temporary))
    assert process.stop() == 0, process.output()
    found = {path.name for path in (tmp_path / "work" / name).iterdir()}
    assert {"taskq.db", "lock"} <= found
    assert {path.name for path in (tmp_path / "work").iterdir()} == {name, "log"}
    assert list(temporary.iterdir()) == []


def test_a_banner_of_ipv6_is_a_url(tmp_path: Path) -> None:
    process = started(tmp_path, "--host", "::1")
    try:
        url = process.output().partition("taskq is running: ")[2].partition(" ")[0]
        assert url.startswith("http://[::1]:")
        assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200
    finally:
        assert process.stop() == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["dev", "worker"])
def test_standard_streams_may_be_closed(tmp_path: Path, command: str, closed: str) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}"
    code = "from pathlib import Path\nfrom taskq_server import on_startup\n@on_startup\n"
    (tmp_path / "noting.py").write_text(f"{code}def up(state): print(1); Path('up').touch()\n")
    settings = {"TASKQ_DATABASE_URL": url, "TASKQ_HANDLERS": "noting", "TASKQ_PORT": "0"}
    assert run_server_command(["db", "upgrade"], settings).returncode == 0
    if command == "worker":
        settings |= NO_SERVERS
    script = f'exec "$0" -m taskq_server {command} {closed}'
    process = Child(
        ["sh", "-c", script, sys.executable],
        tmp_path / "log",
        env=environment(settings),
        cwd=tmp_path,
    )
    try:
        wait_until((tmp_path / "up").exists, 180, "it is up", 0.05, process.output)
        process.signal(signal.SIGTERM)
        assert process.wait(60) == 0, process.output()
    finally:
        process.stop()
    assert "Traceback" not in process.output()
    assert "Fatal" not in process.output()


def test_a_start_up_hook_that_fails_is_a_sentence(tmp_path: Path) -> None:
    code = "from taskq_server import on_startup\n@on_startup\ndef up(state): raise SystemExit(0)\n"
    (tmp_path / "failing.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), environment({})["PYTHONPATH"]])
    process = started(tmp_path, "--handlers", "failing", PYTHONPATH=path)
    assert process.wait(60) == 1
    assert "taskq-server: the start-up hook up failed: SystemExit: 0" in process.output()


def test_a_bug_is_a_sentence_and_a_record_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "breaking.py").write_text("from taskq_server.cli import dev\ndev.create_app = 1\n")
    path = os.pathsep.join([str(tmp_path), environment({})["PYTHONPATH"]])
    words = ["dev", "--handlers", "breaking", "--port", "0", "--data-dir", str(tmp_path / "data")]
    done = run_server_command(words, {"PYTHONPATH": path})
    assert done.returncode == 1
    *records, said = done.stderr.splitlines()
    assert said.startswith("taskq-server: this is a bug of taskq, please report it: TypeError (")
    assert json.loads(records[-1])["exception"].endswith("TypeError")
