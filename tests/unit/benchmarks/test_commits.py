"""A commit is found and unpacked without a trace in the repository; what cannot be is said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.against.environments import find_commit, is_changed, unpack
from benchmarks.against.run import CannotMeasureError, Order, Run
from tests.support.processes import ROOT

_FILES = (
    "requirements.txt",
    "packages/taskq-server/pyproject.toml",
    "packages/taskq-client/pyproject.toml",
)


def git(folder: Path, *words: str) -> str:
    name = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    isolated = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *name, *words],
        cwd=folder,
        env=isolated,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: the first has no packages, the second is laid out as today."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "Nothing yet")
    for name in _FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("first")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Some packages")
    return folder


def test_a_commit_is_unpacked_as_it_was_and_git_notices_nothing(
    repository: Path, tmp_path: Path
) -> None:
    commit = find_commit(repository, "HEAD")
    assert commit == git(repository, "rev-parse", "HEAD")
    assert find_commit(repository, commit[:8]) == commit
    assert not is_changed(repository)
    (repository / _FILES[0]).write_text("changed")
    assert is_changed(repository)
    (tmp_path / "run").mkdir()
    source = unpack(repository, commit, tmp_path / "run" / "source")
    assert [(source / name).read_text() for name in _FILES] == ["first"] * 3
    assert list((tmp_path / "run").iterdir()) == [source]
    assert git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1


@pytest.mark.parametrize("name", ["nonsense", "HEAD^{tree}", "--help", "0" * 40, ""])
def test_an_unknown_commit_is_one_sentence(repository: Path, name: str) -> None:
    with pytest.raises(CannotMeasureError, match="there is no commit") as caught:
        find_commit(repository, name)
    assert "\n" not in str(caught.value)


def test_a_commit_that_is_laid_out_otherwise_is_one_sentence(
    repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(CannotMeasureError, match=r"has no requirements\.txt .* name a later one"):
        unpack(repository, find_commit(repository, "HEAD~1"), tmp_path / "source")


def test_the_command_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.against", "--against", "nonsense", "P1"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bench --against: there is no commit nonsense here")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_order_and_a_run_are_read_as_they_were_written() -> None:
    order = Order(
        scenario="P1", count=7, database_url="mysql://x", redis_url="redis://y", servers={"a": 1}
    )
    assert Order.read(order.write()) == order
    run = Run(numbers={"req/s": 1.5}, cpu={"api": 2.5})
    assert Run.read(f"something else\n{run.write()}\n") == run


@pytest.mark.parametrize("output", ["", "Traceback ...", "3", "{}", json.dumps({"numbers": {}})])
def test_a_run_without_numbers_says_what_it_printed(output: str) -> None:
    with pytest.raises(CannotMeasureError, match="a run gave no numbers") as caught:
        Run.read(output)
    assert output in str(caught.value)
