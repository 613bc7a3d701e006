"""Busy processes are there for as long as a run is."""

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.calls import alive
from tests.support.children import Child
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import os, time
from pathlib import Path

def test_parents():
    assert "TASKQ_TEST_BUSY" not in os.environ
    parents = [os.getpid(), os.getppid()]
    Path("parents").write_text(" ".join(map(str, parents)))
    while not Path("seen").exists():
        time.sleep(0.01)
"""
COMMAND = [sys.executable, "-m", "pytest", "-p", "tests.support.busy"]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Child]:
    """A run that waits for the file `seen`, and is ended if a test leaves it behind."""
    (tmp_path / "test_parents.py").write_text(CODE)
    set_environment(monkeypatch, busy="2")
    child = Child([*COMMAND, *getattr(request, "param", [])], tmp_path / "log", cwd=tmp_path)
    yield child
    child.stop()


def set_environment(monkeypatch: pytest.MonkeyPatch, *, busy: str) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("TASKQ_TEST_BUSY", busy)


def found(run: Child) -> list[int]:
    """The two busy processes of the run, once its test is under way and they are busy."""
    folder = run.log.parent
    wait_until((folder / "parents").exists, 180, "the test runs", details=run.output)
    pids: list[int] = []

    def are_busy() -> bool:
        parents = set(map(int, (folder / "parents").read_text().split()))
        processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
        pids[:] = [int(path.name) for path in processes if parent_if_busy(path) in parents]
        return len(pids) == 2

    wait_until(are_busy, 180, "both are busy", details=run.output)
    return pids


def parent_if_busy(process: Path) -> int | None:
    try:
        words, stat = (process / "cmdline").read_bytes(), (process / "stat").read_text()
    except OSError:  # it has ended
        return None
    return int(stat.rpartition(")")[2].split()[1]) if b"os.getppid() ==" in words else None


@pytest.mark.parametrize("run", [[], ["-p", "xdist.plugin", "-n2"]], indirect=True)
def test_they_end_with_the_run(run: Child) -> None:
    pids = found(run)
    (run.log.parent / "seen").touch()
    assert run.wait(180) == 0, run.output()
    assert not any(map(alive, pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_they_end_when_the_run_is_ended(run: Child, number: signal.Signals) -> None:
    pids = found(run)
    run.signal(number)
    run.wait(180)
    wait_until(lambda: not any(map(alive, pids)), 180, "they have ended")


@pytest.mark.parametrize("said", ["ten", "-1", "1001", "٣", " "])
def test_what_is_no_number_is_a_sentence(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    set_environment(monkeypatch, busy=said)
    done = pytester.run(*COMMAND, timeout=180)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    sentence = f"ERROR: TASKQ_TEST_BUSY: {said!r} is not a number of processes: 0 to 1000"
    assert sentence in done.errlines
    assert not re.search("Traceback|INTERNALERROR", done.stderr.str() + done.stdout.str())
