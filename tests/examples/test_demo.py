"""The demo shows what it promises, leaves nothing behind, and fails in one sentence."""

import os
import re
import signal
import sys
from pathlib import Path

from tests.examples.scripts import run_script
from tests.support.children import Child
from tests.support.processes import ROOT, environment
from tests.support.waiting import wait_until

DEMO = str(ROOT / "examples" / "demo.py")
# A configuration of the user's own: the demo must not use it.
HOSTILE = {"TASKQ_DATABASE_URL": "mysql+asyncmy://production/taskq", "HTTP_PROXY": "http://[::1]:9"}


def test_the_demo_counts_this_repository(tmp_path: Path) -> None:
    done = run_script([DEMO], {**HOSTILE, "TMPDIR": str(tmp_path), "COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(r"^taskq is running at http://127\.0\.0\.1:\d+$", done.stdout, re.MULTILINE)
    assert re.search(r"all \d+ files +│ +[\d,]+ │ +[\d,]+ │", done.stdout)
    assert re.search(r"│ sleep +│ taskq\.sleep +│ cancelled │ 1 +│ 0 +│", done.stdout)
    assert re.search(r"│ fail twice +│ taskq\.flaky +│ succeeded │ 3 +│ 2 +│", done.stdout)
    assert done.stdout.endswith("Stopped.\n")
    assert list(tmp_path.iterdir()) == []


def test_the_demo_counts_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "poem.txt").write_text("Roses roses violets\nviolets roses\n", encoding="utf-8")
    (folder / "[red]brackets.txt").write_text("word", encoding="utf-8")
    (folder / "picture.bin").write_bytes(b"\xff\xfe\x00")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("hidden", encoding="utf-8")
    done = run_script([DEMO, str(folder)], {"COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    assert re.search(r"│ poem\.txt +│ +2 │ +5 │ roses, violets +│", done.stdout)
    assert re.search(r"│ \[red\]brackets\.txt +│ +1 │ +1 │ word +│", done.stdout)
    assert re.search(r"│ all 2 files +│ +3 │ +6 │", done.stdout)


def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = environment({"TMPDIR": str(temporary)})
    demo = Child([sys.executable, DEMO], tmp_path / "demo.log", env=env, cwd=ROOT)
    try:
        wait_until(lambda: "is running" in demo.output(), 180, "it runs", details=demo.output)
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
        assert demo.wait(timeout=180) == 130
    finally:
        demo.stop()
    assert demo.output().endswith("Interrupted; everything is stopped.\n")
    assert "Traceback" not in demo.output()
    assert list(temporary.iterdir()) == []
    wait_until(lambda: not group_exists(demo.pid), 180, "its process group is gone")


def test_a_folder_without_text_is_one_sentence(tmp_path: Path) -> None:
    done = run_script([DEMO, str(tmp_path)], {})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"The demo failed: there is no text file in {tmp_path}.\n"
    done = run_script([DEMO, str(tmp_path / "nowhere")], {})
    assert done.returncode == 1
    assert done.stderr == f"The demo failed: {tmp_path / 'nowhere'} is not a folder.\n"


def test_a_server_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    # In a working folder like the repository, with a server that only complains.
    for name in ("examples", "taskq_server"):
        (tmp_path / name).mkdir()
    (tmp_path / "taskq_server" / "__init__.py").touch()
    (tmp_path / "examples" / "demo.py").write_text(Path(DEMO).read_text(encoding="utf-8"), "utf-8")
    (tmp_path / "taskq_server" / "__main__.py").write_text(
        "import sys; sys.exit('taskq-server: no Redis server found')", "utf-8"
    )
    done = run_script([str(tmp_path / "examples" / "demo.py")], {})
    assert done.returncode == 1
    words = "The demo failed: taskq-server did not start: taskq-server: no Redis server found.\n"
    assert done.stderr == words


def test_a_result_that_is_not_as_expected_is_one_sentence(tmp_path: Path) -> None:
    # A handler of the same name that fails: the repository's own is replaced.
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "demo.py").write_text(Path(DEMO).read_text(encoding="utf-8"), "utf-8")
    (tmp_path / "examples" / "handlers.py").write_text(
        "from taskq_server import Fatal, handler\n"
        "@handler('files.count')\n"
        "async def count(path: str) -> None:\n"
        "    raise Fatal('no')\n",
        "utf-8",
    )
    env = environment({})
    env["PYTHONPATH"] = str(tmp_path)
    demo = Child(
        [sys.executable, tmp_path / "examples" / "demo.py"], tmp_path / "demo.log", env=env
    )
    try:
        assert demo.wait(timeout=180) == 1
    finally:
        demo.stop()
    assert demo.output().endswith("The demo failed: a file was not counted.\n")


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
