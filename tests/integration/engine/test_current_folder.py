"""Modules in the current folder: handlers are found there, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.integration.engine.calls import get, submit
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, ServerProcess, environment
from tests.support.waiting import wait_until

TRAPS = (
    *("uvicorn", "alembic", "structlog", "greenlet", "click", "pydantic", "sqlalchemy", "redis"),
    *("asyncio", "multiprocessing", "ctypes", "logging", "subprocess", "uvloop"),
)
TRAP = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
"""
REPORTS = """
import json
import multiprocessing
import os
import sys
from pathlib import Path

from taskq_server import State, handler, on_startup

@on_startup
def tell(state: State) -> None:
    Path("path").write_text(json.dumps(sys.path))

@handler("reports.path")
def path() -> list[str]:
    import beside
    return [beside.NAME, *sys.path]

def double(number: int) -> int:
    return 2 * number

@handler("reports.spawned")
def spawned() -> int:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(double, (21,))

@handler("reports.deadly")
def deadly() -> list[str]:
    if not Path("died").exists():
        Path("died").touch()
        os._exit(1)
    return [multiprocessing.current_process().name, *sys.path]
"""
NOWHERE = (
    "taskq-server: cannot import the handlers in jobs: ModuleNotFoundError: "
    "No module named 'jobs'; it is neither installed nor in the current folder {}\n"
)
SETTINGS = {"TASKQ_LEASE_SECONDS": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules that nobody but handlers may import."""
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text(TRAP)
    (tmp_path / "reports.py").write_text(REPORTS)
    (tmp_path / "beside.py").write_text("NAME = 'beside'\n")
    return tmp_path


def trapped(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.ran"))


def run(
    command: list[str], folder: Path, settings: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        env=environment(settings or {}),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize(
    "words", [["--help"], ["db", "--help"], ["db", "current"], ["api"], ["worker"]], ids=" ".join
)
@pytest.mark.parametrize("start", ["script", "module"])
def test_no_command_runs_what_lies_in_the_folder(
    folder: Path, words: list[str], start: str
) -> None:
    script = [str(Path(sys.executable).with_name("taskq-server"))]
    begin = script if start == "script" else [sys.executable, "-m", "taskq_server"]
    done = run([*begin, *words], folder)
    assert trapped(folder) == []
    assert "Traceback" not in done.stderr
    assert done.returncode == (os.EX_CONFIG if words[0] in ("api", "worker") else 0)


def test_dev_finds_handlers_there_last_of_all(folder: Path) -> None:
    words = ["dev", "--handlers", "reports"]
    server = ApiProcess(words, SETTINGS, folder / "log", free_port())
    try:
        server.wait_ready()
        api = SimpleNamespace(api_url=server.url)
        path, spawned = submit(api, "reports.path", {}), submit(api, "reports.spawned", {})
        found = get(api, path, wait=60)["result"]
        assert (found[0], found[-1], found.count(str(folder))) == ("beside", str(folder), 1)
        assert "" not in found
        assert get(api, spawned, wait=60)["result"] == 42
        deadly = submit(api, "reports.deadly", {})
        server.wait(timeout=180)
        server = ApiProcess(words, SETTINGS, folder / "log-2", free_port())
        server.wait_ready()
        process, *found = get(SimpleNamespace(api_url=server.url), deadly, wait=60)["result"]
        assert process != "MainProcess"
        assert (found[-1], found.count(str(folder)), "" in found) == (str(folder), 1, False)
    finally:
        server.stop()
    assert trapped(folder) == []


def test_a_worker_finds_handlers_there_last_of_all(folder: Path, redis_url: str) -> None:
    settings = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'a.db'}",
        "TASKQ_REDIS_URL": redis_url,
        "TASKQ_HANDLERS": "reports",
    }
    migrated = ServerProcess(["db", "upgrade"], settings, folder / "upgrade.log")
    assert migrated.wait(timeout=180) == 0
    worker = ServerProcess(["worker"], settings, folder / "log")
    try:
        wait_until((folder / "path").exists, 180, "the start-up hook ran", 0.05, worker.output)
        wait_until(lambda: "hide these" in worker.output(), 180, "a sentence", 0.05, worker.output)
    finally:
        worker.stop()
    found = json.loads((folder / "path").read_text())
    assert (found[-1], found.count(str(folder)), "" in found) == (str(folder), 1, False)
    assert trapped(folder) == []
    said = [line for line in worker.output().splitlines() if "hide these" in line]
    assert len(said) == 1
    assert "uvloop" in said[0]
    assert "reports" not in said[0]


def test_handlers_that_an_installed_module_hides_are_said(folder: Path) -> None:
    (folder / "json.py").write_text(REPORTS)
    (folder / "email").mkdir()
    (folder / "email" / "reports.py").write_text(REPORTS)
    begin = [sys.executable, "-m", "taskq_server", "dev", "--port", str(free_port())]
    done = run([*begin, "--handlers", "email.reports"], folder)
    assert done.returncode == os.EX_CONFIG
    assert "cannot import the handlers in email.reports: ModuleNotFoundError: " in done.stderr
    assert "; an installed module hides that of the current folder: rename it" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert os.listdir(folder / "email") == ["reports.py"]


@pytest.mark.parametrize("command", ["worker", "dev"])
@pytest.mark.parametrize("way", ["option", "variable"])
def test_handlers_that_are_nowhere_are_said_with_the_folder(
    tmp_path: Path, command: str, way: str
) -> None:
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    (folder / "near").mkdir()
    (folder / "near" / "jobs.py").write_text(REPORTS)
    words = ["--handlers", "jobs"] if way == "option" else []
    settings = {"TASKQ_HANDLERS": "jobs"} if way == "variable" else {}
    servers = {
        "TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}",
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    begin = [sys.executable, "-m", "taskq_server", command]
    done = run([*begin, *words], folder, settings | (servers if command == "worker" else {}))
    assert done.returncode == os.EX_CONFIG
    assert done.stderr == NOWHERE.format(repr(str(folder)))


def test_a_module_that_handlers_import_is_said_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("import nowhere")
    done = run([sys.executable, "-m", "taskq_server", "handlers", "--handlers", "jobs"], tmp_path)
    assert done.returncode == os.EX_CONFIG
    assert "jobs.py, line 1); it is neither installed nor in the current folder" in done.stderr
    (tmp_path / "jobs.py").write_text("import json.nowhere")
    done = run([sys.executable, "-m", "taskq_server", "handlers", "--handlers", "jobs"], tmp_path)
    assert "No module named 'json.nowhere'" in done.stderr
    (tmp_path / "jobs.py").write_text("raise ImportError('no')")
    done = run([sys.executable, "-m", "taskq_server", "handlers", "--handlers", "jobs"], tmp_path)
    assert "current folder" not in done.stderr


def test_a_current_folder_that_was_deleted_is_said(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.rmdir(os.getcwd()); "
        "os.execv(sys.executable, [sys.executable, '-m', 'taskq_server', 'handlers', "
        "'--handlers', 'jobs'])"
    )
    folder = tmp_path / "gone"
    folder.mkdir()
    settings = {"TASKQ_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}"}
    done = run([sys.executable, "-c", code], folder, settings)
    assert done.returncode == os.EX_CONFIG
    assert done.stderr == NOWHERE.format("(which is gone)")


@pytest.mark.parametrize("command", ["settings", "handlers", "api", "worker"])
def test_a_file_in_a_current_folder_that_was_deleted_is_one_sentence(
    tmp_path: Path, command: str
) -> None:
    code = (
        "import os, sys; os.rmdir(os.getcwd()); "
        f"os.execv(sys.executable, [sys.executable, '-m', 'taskq_server', '{command}'])"
    )
    folder = tmp_path / "gone"
    folder.mkdir()
    settings = {"TASKQ_DATABASE_URL": "sqlite+aiosqlite:///taskq.db"}
    done = run([sys.executable, "-c", code], folder, settings)
    assert done.returncode == os.EX_CONFIG
    assert done.stderr == (
        "taskq-server: TASKQ_DATABASE_URL: is a file in the current folder, which is gone: change "
        "the folder, or name a whole path\n"
    )
