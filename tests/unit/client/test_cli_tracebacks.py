"""Tracebacks as `taskq` shows them: without the frames of taskq, within the width."""

import pytest

from taskq_client.cli.tracebacks import traceback_lines, without_own_frames

OWN = """\
  File "/x/site-packages/taskq_server/worker/execution.py", line 189, in _guarded
    result = await call()
             ^^^^^^^^^^^^
"""
POOL = """\
  File "/usr/lib/python3.11/concurrent/futures/thread.py", line 58, in run
    result = self.fn(*self.args, **self.kwargs)
"""
THEIRS = """\
  File "/srv/jobs.py", line 3, in build
    raise ValueError("no")
"""
HEADER = "Traceback (most recent call last):\n"
END = "ValueError: no"


@pytest.mark.parametrize(
    ("frames", "left"),
    [
        (OWN + THEIRS, THEIRS),
        (OWN + POOL + OWN + OWN + THEIRS, THEIRS),
        (THEIRS + POOL + THEIRS, THEIRS + POOL + THEIRS),
        (OWN.replace("/", "\\") + THEIRS, THEIRS),
        (THEIRS, THEIRS),
        (THEIRS + OWN, THEIRS),
        ('  File "/srv/taskq_server_app.py", line 1, in f\n', None),
    ],
)
def test_only_the_frames_of_taskq_are_left_out(frames: str, left: str | None) -> None:
    expected = HEADER + (frames if left is None else left) + END
    assert without_own_frames(HEADER + frames + END) == expected


def test_a_traceback_without_other_frames_is_its_error() -> None:
    assert without_own_frames(HEADER + OWN + END + "\n") == END


def test_causes_and_groups_keep_their_form() -> None:
    cause = "\nThe above exception was the direct cause of the following exception:\n\n"
    text = HEADER + THEIRS + "KeyError: 1\n" + cause + HEADER + OWN + THEIRS + END
    assert without_own_frames(text) == text.replace(OWN, "")

    def member(text: str) -> str:
        return "".join(f"    | {line}\n" for line in text.splitlines())

    group = "  + Exception Group Traceback (most recent call last):\n"
    group += "".join(f"  | {line}\n" for line in (OWN + THEIRS).splitlines())
    group += "  | ExceptionGroup: two (1 sub-exception)\n  +-+---------------- 1 ------\n"
    group += member(HEADER + OWN + THEIRS + END) + "    +------------------------------------"
    shown = without_own_frames(group)
    assert "taskq_server" not in shown
    assert "await call()" not in shown
    assert shown.count("/srv/jobs.py") == 2
    assert member(HEADER + THEIRS + END) in shown


@pytest.mark.parametrize("text", ["", "no traceback", '  File "', "\n\n", HEADER])
def test_any_text_is_shown(text: str) -> None:
    assert all(line.plain.isprintable() for line in traceback_lines(text, 40))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_paths_lose_their_folders_and_words_stay_whole(width: int) -> None:
    folders = "a_folder/" * 20
    frame = (
        f'  File "/srv/{folders}jobs.py", line 3, in build\n    raise ValueError("no") from None\n'
    )
    lines = [line.plain for line in traceback_lines(HEADER + frame + END, width)]

    assert max(map(len, lines)) <= width
    assert any("…/" in line and 'jobs.py", line 3,' in line for line in lines)
    assert " ".join("".join(lines).split()).endswith("from None ValueError: no")
