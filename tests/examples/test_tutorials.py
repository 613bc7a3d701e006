"""Each numbered example prints what it says it prints; the one about keys has its own server."""

import ast
import re
from pathlib import Path

import pytest

from tests.examples.documents import matches, said_output
from tests.examples.scripts import run_script
from tests.support.processes import ROOT
from tests.support.stack import Stack

TUTORIALS = sorted(
    [*(ROOT / "examples").glob("0[1-8]_*.py"), *(ROOT / "examples").glob("1[01]_*.py")]
)
KEYS = ROOT / "examples" / "09_keys.py"


def test_there_are_eleven_tutorials() -> None:
    found = sorted([*TUTORIALS, KEYS])
    assert [path.name[:2] for path in found] == [f"{number:02}" for number in range(1, 12)]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_prints_what_it_says(path: Path, tutorial_stack: Stack) -> None:
    url = {"TASKQ_URL": tutorial_stack.api_url}
    done = run_script(["-W", "error", str(path)], url, timeout=200)
    assert done.returncode == 0, (done.stderr, tutorial_stack.logs())
    said = said_output(path.read_text(encoding="utf-8"))
    assert said is not None
    assert matches(said, done.stdout), done.stdout


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_says_how_to_start_and_reads_only_the_url(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    words = ast.get_docstring(ast.parse(code)) or ""
    assert "taskq-server dev" in words
    assert f"python examples/{path.name}" in words
    assert "environ" not in code.replace(words, "")
    assert set(re.findall(r"TASKQ_\w+", code)) <= {"TASKQ_URL"}


def test_the_example_about_keys_prints_what_it_says(tmp_path: Path) -> None:
    other = {
        "TASKQ_DATABASE_URL": "mysql+asyncmy://production/taskq",
        "TASKQ_API_KEY": "tq_000000000000_" + "s" * 43,
        "TASKQ_AUTH": "off",
        "TMPDIR": str(tmp_path),
    }
    done = run_script(["-W", "error", str(KEYS)], other, timeout=280)
    assert (done.returncode, done.stderr) == (0, "")
    said = said_output(KEYS.read_text(encoding="utf-8"))
    assert said is not None
    assert matches(said, done.stdout), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_fan_out_counts_a_real_folder(tmp_path: Path, tutorial_stack: Stack) -> None:
    (tmp_path / "poem.txt").write_text("one two\nthree\n", encoding="utf-8")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "more.txt").write_text("four", encoding="utf-8")
    (tmp_path / "picture.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / ".hidden").write_text("not counted", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("not counted", encoding="utf-8")
    script = ROOT / "examples" / "03_async_fan_out.py"
    settings = {"TASKQ_URL": tutorial_stack.api_url}
    done = run_script([str(script), str(tmp_path)], settings)
    assert done.stdout == "2 text files, 1 others\n3 lines, 4 words\n", done.stderr
    nowhere = run_script([str(script), str(tmp_path / "nowhere")], settings)
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert nowhere.stderr == f"{tmp_path / 'nowhere'} is not a folder\n"
