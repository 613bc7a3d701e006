"""Words that the command line does not know: a sentence and status 2, with any click admitted."""

import subprocess
import sys

import pytest


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "taskq_server", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "words", [["--nope"], ["nope"], ["dev", "--nope"], ["api", "--port", "x"], ["db", "nope"]]
)
def test_wrong_words_are_one_sentence(words: list[str]) -> None:
    done = run(*words)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("taskq-server: ")
    assert "--help`)" in line


def test_no_words_show_the_help() -> None:
    done = run()
    assert done.returncode == 2
    assert "Usage: taskq-server" in done.stderr
